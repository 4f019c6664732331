"""Functionals of prosody: one vector of statistics per recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from avemotion.extraction.last_run import Counts
from avemotion.features.parts.sound import Sound, SoundExtractor
from avemotion.formats import feature_store
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.system import params_file

# samples; openSMILE's pitch contour needs several frames, so shorter sounds are padded with silence
SHORTEST = SAMPLE_RATE // 4


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.prosody`."""

    set: Literal["egemaps", "free"]  # egemaps: openSMILE's eGeMAPSv02, free for research only; free: this project's own
    max_seconds: float  # the rest of a longer recording is not used

    def __post_init__(self) -> None:
        if self.max_seconds < 1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 1 or more")


@dataclass(frozen=True, kw_only=True)
class ProsodyExtractor(SoundExtractor):
    """Array `functionals` [1, F]."""

    params: Params

    @property
    def views(self) -> list[str]:
        return [feature_store.CLEAN]

    @property
    def seconds(self) -> float:
        return self.params.max_seconds

    def facts(self) -> dict[str, Any]:
        return {"set": self.params.set, "sample_rate": SAMPLE_RATE, "names": SETS[self.params.set].names()}

    def extract_sounds(self, sounds: Sequence[Sound]) -> list[tuple[feature_store.Views, Counts]]:
        return [self._rows(*sound) for sound in sounds]

    def _rows(self, clip: str, waveform: np.ndarray, more: bool) -> tuple[feature_store.Views, Counts]:
        short = len(waveform) < SHORTEST
        if short:
            waveform = np.pad(waveform, (0, SHORTEST - len(waveform)))
        values = SETS[self.params.set].compute(waveform)
        return {feature_store.CLEAN: {"functionals": values[None].astype(np.float32)}}, {
            "padded": int(short),
            "cut": int(more),
        }


def configure(file: Path, role: str) -> ProsodyExtractor:
    """The extractor; the same for both roles."""
    return ProsodyExtractor(params=params_file.read(file, "features.prosody", Params))


def restore(settings: dict[str, Any], device: str) -> ProsodyExtractor:
    """The extractor that a checkpoint's settings describe."""
    return ProsodyExtractor(params=Params(**settings["params"]))


class EGeMAPS:
    """eGeMAPSv02 through openSMILE."""

    @staticmethod
    def names() -> list[str]:
        return list(_egemaps().feature_names)

    @staticmethod
    def compute(waveform: np.ndarray) -> np.ndarray:
        return egemaps(waveform)


class Free:
    """This project's own functionals. Their module is imported at first use, because scipy takes a second to import."""

    @staticmethod
    def names() -> list[str]:
        from avemotion.features.parts.free_functionals import FREE_NAMES

        return list(FREE_NAMES)

    @staticmethod
    def compute(waveform: np.ndarray) -> np.ndarray:
        from avemotion.features.parts.free_functionals import free_functionals

        return free_functionals(waveform)


SETS: dict[str, type[EGeMAPS] | type[Free]] = {"egemaps": EGeMAPS, "free": Free}


def egemaps(waveform: np.ndarray) -> np.ndarray:
    """waveform [samples] at 16 kHz -> the 88 functionals of eGeMAPSv02 (Eyben et al. 2016)."""
    return _egemaps()(waveform, SAMPLE_RATE).reshape(-1)


@lru_cache(maxsize=1)
def _egemaps() -> Any:
    import opensmile

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
