"""Prosody as an input of a fusion model: its rows from the cache, and their standardisation."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from avemotion.datasets.prosody_rows import ARRAY, ProsodyRows
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.fusion.base import Fusion
from avemotion.training.emotion.audio_input import relative

FEATURES = Path("data/features/prosody")


def rows(role: str, speakers: Mapping[str, str], normalise: str) -> ProsodyRows:
    """The functionals of a role's clips.

    Args:
        speakers: by clip. normalise: speaker = relative to each speaker's own clips; corpus = as they are.

    Raises:
        ValueError: no clip has sound.
    """
    store = FeatureStore(FEATURES / role)
    if not store.arrays:
        raise ValueError(f"fusion.inputs names prosody, but no clip of corpora.{role} has sound; leave prosody out")
    by_speaker = ["prosody"] if normalise == "speaker" else []
    return ProsodyRows(relative(store, "prosody", [ARRAY], by_speaker, speakers))


def standardize(model: Fusion, prosody: ProsodyRows, training: Iterable[str]) -> None:
    """Fit the model's statistics of prosody to the training clips with sound.

    Raises:
        ValueError: there are none.
    """
    assert model.prosody is not None
    values = torch.stack([prosody(clip) for clip in training])
    present = ~values.isnan().any(1)
    if not present.any():
        raise ValueError("fusion.inputs names prosody, but no training clip has sound; leave prosody out")
    model.prosody.standardize.fit(values[present])
