"""The base class of sound extractors: they extract from a file, or from a waveform in memory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avemotion.extraction.extraction import refuse_not_finite
from avemotion.extraction.last_run import Counts
from avemotion.formats.clips import ClipMedia
from avemotion.formats.feature_store import Views
from avemotion.media.waveforms import read_start, start

Sound = tuple[str, np.ndarray, bool]  # clip id, waveform [samples] at 16 kHz, whether the recording is longer


class SoundExtractor(ABC):
    """An extractor of sound: a frozen dataclass with all params that its features depend on."""

    modality = "audio"

    @property
    @abstractmethod
    def seconds(self) -> float:
        """Length of the part that it reads, from the beginning of a recording."""

    @abstractmethod
    def extract_sounds(self, sounds: Sequence[Sound]) -> list[tuple[Views, Counts]]:
        """Rows of every view of each sound, and counts of special cases."""

    def extract(self, clip: ClipMedia, root: Path) -> tuple[Views, Counts]:
        """The rows of a clip, and counts of special cases, which the index has as sums over clips."""
        return self.extract_sounds([self.read(clip, root)])[0]

    def extract_waveform(self, clip: str, waveform: np.ndarray) -> tuple[Views, Counts]:
        """The rows of a waveform [samples] at 16 kHz; a file with these samples has the same rows."""
        [(views, counts)] = self.extract_sounds([(clip, *start(waveform, self.seconds))])
        refuse_not_finite(clip, views)
        return views, counts

    def read(self, clip: ClipMedia, root: Path) -> Sound:
        """The part of a clip's sound that the extractor reads."""
        assert clip.audio is not None
        return clip.id, *read_start(root / clip.audio, self.seconds)
