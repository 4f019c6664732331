"""What the extractors of sound share: one recording from a file, or a waveform in memory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avemotion.extraction.extraction import refuse_not_finite
from avemotion.extraction.last_run import Counts
from avemotion.formats.clips import ClipMedia
from avemotion.formats.feature_store import Views
from avemotion.media.waveforms import read_start, start

Sound = tuple[str, np.ndarray, bool]  # clip id, waveform [samples] at 16 kHz, whether the recording goes on


class SoundExtractor(ABC):
    """An extractor of sound: a frozen dataclass whose fields are what its numbers depend on."""

    modality = "audio"

    @property
    @abstractmethod
    def seconds(self) -> float:
        """How much of a recording it reads, from the beginning."""

    @abstractmethod
    def extract_sounds(self, sounds: Sequence[Sound]) -> list[tuple[Views, Counts]]:
        """Rows of every view of each sound, and counts of what was special about it."""

    def extract(self, clip: ClipMedia, root: Path) -> tuple[Views, Counts]:
        """The rows of a clip, and counts of what was special about it (summed into the index)."""
        return self.extract_sounds([self.read(clip, root)])[0]

    def extract_waveform(self, clip: str, waveform: np.ndarray) -> tuple[Views, Counts]:
        """The rows of a waveform [samples] at 16 kHz, the same as those of a file that holds it."""
        [(views, counts)] = self.extract_sounds([(clip, *start(waveform, self.seconds))])
        refuse_not_finite(clip, views)
        return views, counts

    def read(self, clip: ClipMedia, root: Path) -> Sound:
        """The part of a clip's sound that the extractor reads."""
        assert clip.audio is not None
        return clip.id, *read_start(root / clip.audio, self.seconds)
