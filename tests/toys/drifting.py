"""Dialogues whose mood drifts, in features and labels."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.formats import feature_store
from avemotion.training.va import objective
from avemotion.training.va.losses import Weights

BATCHING = objective.Batching(turns=16, dialogues=4, chunk=5)
WEIGHTS = Weights(ccc=[0.5, 0.5], mse=0.1)


def drifting(
    folder: Path, dialogues: int = 16, turns: int = 8, noise: float = 0.3
) -> tuple[feature_store.FeatureStore, pd.DataFrame]:
    """Features in which each turn shows the mood, off by `noise` units; its labels."""
    rng = np.random.default_rng(0)
    rows, arrays = [], {}
    directions = rng.standard_normal((2, 16))
    for d in range(dialogues):
        mood = rng.normal(0, 1, 2)
        for t in range(turns):
            mood = 0.95 * mood + 0.3 * rng.normal(0, 1, 2)
            clip = f"d{d:02}_{t}"
            shown = (mood + noise * rng.standard_normal(2)) @ directions
            speech = shown + 0.5 * rng.standard_normal((2 + t % 3, 16))
            arrays[clip] = {
                "speech": speech.astype(np.float32),
                "prosody": (shown[:8] + 0.5 * rng.standard_normal(8)).astype(np.float32)[None],
                "speaker": np.eye(6, dtype=np.float32)[[d % 6]],
                "fused": rng.standard_normal((1, 10)).astype(np.float32),
                "gate": np.full((1, 1), d / 100, np.float32),
            }
            rows.append(
                (clip, f"s{d % 4}{t % 2}", *(3 + mood), 3 + mood.mean(), f"d{d:02}", t, float(t), str(1 + d % 4))
            )
    columns = ["id", "speaker", "valence", "arousal", "dominance", "dialogue", "turn", "start", "split"]
    facts = {"hop_seconds": 0.02}
    feature_store.write(
        folder, [feature_store.CLEAN], ((clip, {feature_store.CLEAN: arrays[clip]}) for clip in sorted(arrays)), facts
    )
    return feature_store.FeatureStore(folder), pd.DataFrame(rows, columns=columns)
