"""Selected clips with their sound and picture from the feature caches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avemotion.formats.feature_store import FeatureStore
from avemotion.plots.common.clip_attention import Shown

FEATURES = Path("data/features")


@dataclass(frozen=True, kw_only=True)
class Words:
    """The title of a clip's picture."""

    rank: str  # best, median, worst or a percentage
    label: str  # true
    predicted: str


def with_media(role: str, clip: str, words: Words, attention: dict[str, np.ndarray], *, frames: bool) -> Shown:
    """A selected clip with its sound and, if frames is true, its frames."""
    sound = FeatureStore(FEATURES / "mel" / role)
    length, start = sound.get(clip, "length"), sound.get(clip, "start")
    pictures, times = np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0)
    if frames:
        store = FeatureStore(FEATURES / "frames" / role)
        pictures, times = store.get(clip, "frames"), store.get(clip, "times")
    return Shown(
        id=clip,
        rank=words.rank,
        label=words.label,
        predicted=words.predicted,
        attention=attention,
        frames=pictures,
        frame_times=times,
        mel=sound.get(clip, "mel")[: int(length[0]) if len(length) else 0],
        mel_start=float(start[0]) if len(start) else 0.0,
        peaks=sound.get(clip, "peaks"),
        hop=sound.facts["hop_seconds"],
    )
