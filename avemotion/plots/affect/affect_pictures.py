"""All tables and pictures of plots/affect: results of the VA models on the test turns."""

from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avemotion.params.evaluate import Config
from avemotion.plots.affect import affect_attention, branches, fold_scores, plane
from avemotion.plots.common import clip_attention, shown_clips
from avemotion.scoring import metrics, results, summaries
from avemotion.scoring.results import Affect
from avemotion.system.seeds import seed_for


def save(folder: Path, affect: Affect, scores: dict[str, Any], config: Config) -> None:
    """Write CCC per fold, the valence-arousal plane, branch weights, and attention over speech in some turns."""
    note = summaries.synthetic_note(affect.facts)
    rows = ccc_by_fold(affect, config.evaluate.draws, config.seed)
    fold_scores.save(folder, rows, f"95 % intervals over dialogues{note}")

    turns = affect.turns.dropna(subset=affect.targets).set_index("id", drop=False)
    rng = np.random.default_rng(seed_for(config.seed, "turns"))
    drawn = sorted(rng.choice(len(turns), min(len(turns), config.evaluate.turns), replace=False))
    arrows = turns.iloc[drawn]
    plane.save(folder, turns, arrows, affect.facts.scale, f"{len(arrows)} of {len(turns)} test turns{note}")
    branches.save(folder, affect.branches, affect.targets, list(arrows["id"]), affect.facts.folds)
    affect_attention.save(folder, chosen_turns(affect, turns, config))


def chosen_turns(affect: Affect, turns: pd.DataFrame, config: Config) -> list[clip_attention.Shown]:
    """Some test turns, from the best to the worst prediction."""
    exports = results.attention_of_stage("va", affect.facts.folds)
    error = reduce(np.hypot, [turns[f"{target}_predicted"] - turns[target] for target in affect.targets], 0.0)
    shown = []
    for turn, rank in clip_attention.choose(error, config.evaluate.clips, config.seed).items():
        row = turns.loc[turn]
        label, predicted = (
            ", ".join(f"{target[0].upper()} {row[f'{target}{of}']:.2f}" for target in affect.targets)
            for of in ("", "_predicted")
        )
        words = shown_clips.Words(rank=rank, label=label, predicted=predicted)
        shown.append(shown_clips.with_media("affect", turn, words, exports.get(turn, {}), frames=False))
    return shown


def ccc_by_fold(affect: Affect, draws: int, seed: int) -> pd.DataFrame:
    """CCC with its interval per fold and over all: fold, target, ccc, low, high."""
    rows = []
    groups = [(str(fold), turns) for fold, turns in affect.turns.groupby("fold")]
    for name, turns in [*groups, (fold_scores.POOLED, affect.turns)]:
        for target in affect.targets:
            pair = summaries.labelled(turns, target)
            # The pooled interval has the same seed and bounds as the one in metrics/detail/affect.json.
            own = seed_for(seed, "bootstrap", target, *([] if name == fold_scores.POOLED else [name]))
            low, high = summaries.ccc_interval(pair, draws, own)
            ccc = metrics.ccc(pair["truth"], pair["prediction"])
            rows.append({"fold": name, "target": target, "ccc": ccc, "low": low, "high": high})
    return pd.DataFrame(rows)
