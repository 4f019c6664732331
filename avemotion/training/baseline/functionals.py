"""The rows of the baseline: one vector of prosody functionals per clip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avemotion.formats.feature_store import FeatureStore
from avemotion.training import speaker_statistics

FEATURES = Path("data/features/prosody")
Floats = NDArray[np.float64]


def silent(role: str) -> bool:
    """Whether no clip of a role has sound."""
    store = FeatureStore(FEATURES / role)
    return len(store.missing) == len(store.ids)


def read(role: str, ids: Sequence[str], speakers: Sequence[str], normalise: str, root: Path = Path()) -> Floats:
    """Functionals [len(ids), F]; NaN for a clip without sound.

    Args:
        normalise: speaker standardises each speaker's rows; corpus leaves that to the model, by its training rows.
        root: the project's folder.
    """
    store = FeatureStore(root / FEATURES / role)
    rows = np.full((len(ids), *store.dim("functionals")), np.nan)
    for i, clip in enumerate(ids):
        if store.length(clip, "functionals"):
            rows[i] = store.get(clip, "functionals")[0]
    return speaker_statistics.standardized(rows, speakers) if normalise == "speaker" else rows
