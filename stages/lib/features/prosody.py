"""Functionals of prosody: one vector of statistics per recording."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stages.lib import params
from stages.lib.data.clips import ClipMedia
from stages.lib.features import store
from stages.lib.features.prosody_free import FREE_NAMES, free_functionals
from stages.lib.media.audio import SAMPLE_RATE, read_start

# samples; openSMILE's pitch contour needs some frames, shorter sounds are continued by silence
SHORTEST = SAMPLE_RATE // 4


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.prosody`."""

    set: Literal["egemaps", "free"]  # egemaps: openSMILE's eGeMAPSv02, free for research only; free: this project's own
    max_seconds: float  # the rest of a longer recording is left out

    def __post_init__(self) -> None:
        if self.max_seconds < 1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 1 or more")


@dataclass(frozen=True, kw_only=True)
class ProsodyExtractor:
    """Array `functionals` [1, F]."""

    params: Params
    modality = "audio"

    @property
    def views(self) -> list[str]:
        return [store.CLEAN]

    def facts(self) -> dict[str, Any]:
        names = list(_egemaps().feature_names) if self.params.set == "egemaps" else list(FREE_NAMES)
        return {"set": self.params.set, "sample_rate": SAMPLE_RATE, "names": names}

    def extract(self, clip: ClipMedia, root: Path) -> tuple[store.Views, dict[str, int]]:
        waveform, cut = read_start(root / clip.audio, self.params.max_seconds)
        short = len(waveform) < SHORTEST
        if short:
            waveform = np.pad(waveform, (0, SHORTEST - len(waveform)))
        values = egemaps(waveform) if self.params.set == "egemaps" else free_functionals(waveform)
        return {store.CLEAN: {"functionals": values[None].astype(np.float32)}}, {"padded": int(short), "cut": int(cut)}


def configure(file: Path, role: str) -> ProsodyExtractor:
    """The extractor; the same for both roles."""
    return ProsodyExtractor(params=params.read(file, "features.prosody", Params))


def egemaps(waveform: np.ndarray) -> np.ndarray:
    """waveform [samples] at 16 kHz -> the 88 functionals of eGeMAPSv02 (Eyben et al. 2016)."""
    return _egemaps()(waveform, SAMPLE_RATE).reshape(-1)


@lru_cache(maxsize=1)
def _egemaps() -> Any:
    import opensmile

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
