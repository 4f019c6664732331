"""A feature store whose rows are standardised by the clips of the same speaker, without any label.

It uses a test speaker's other clips. Scores of such models hold for a speaker of whom several recordings are at hand.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from avemotion.datasets.memory_store import Store
from avemotion.formats.feature_store import CLEAN

REAL = {"mel": "length"}  # array with padding -> the array with its number of real rows
CONSTANT = 1e-7  # a deviation below this share of the largest value is the rounding of a constant; it counts as 1


class SpeakerStore:
    """Every row minus the mean, over the standard deviation (n), of all rows of its speaker's clips.

    Args:
        store: the rows.
        relative: arrays that are standardised, by feature. Other arrays stay as they are.
        speakers: clip id -> speaker. Statistics come from the real rows of the view clean.
        counted: the clips whose rows count; None = all of `speakers`.
    """

    def __init__(
        self,
        store: Store,
        relative: Sequence[str],
        speakers: Mapping[str, str],
        counted: Collection[str] | None = None,
    ):
        self.store, self.relative, self.speakers = store, list(relative), dict(speakers)
        self.facts, self.missing = store.facts, store.missing
        self._statistics: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        self._clips: dict[str, list[str]] = defaultdict(list)
        for clip in sorted(self.speakers if counted is None else counted):
            self._clips[self.speakers[clip]].append(clip)

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        return self.store.views

    @property
    def arrays(self) -> list[str]:
        """Names of the arrays."""
        return self.store.arrays

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the extractor."""
        return self.store.settings

    def dim(self, array: str) -> tuple[int, ...]:
        """Shape of one row."""
        return self.store.dim(array)

    def length(self, clip: str, array: str, view: str = CLEAN) -> int:
        """Number of rows T of a clip; 0 where it is missing."""
        return self.store.length(clip, array, view)

    def get(self, clip: str, array: str, view: str = CLEAN) -> np.ndarray:
        """Rows [T, ...] of a clip; float32 where they are standardised."""
        rows = self.store.get(clip, array, view)
        if array not in self.relative:
            return rows
        mean, deviation = self._of(self.speakers[clip], array)
        return ((rows - mean) / deviation).astype(np.float32)

    def _of(self, speaker: str, array: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of a speaker's rows, computed once; one clip is in memory at a time."""
        if (speaker, array) not in self._statistics:
            shape = self.store.dim(array)
            count, total, squares, largest = 0, np.zeros(shape), np.zeros(shape), np.zeros(shape)
            for clip in self._clips[speaker]:
                if not self.store.length(clip, array):
                    continue
                rows = self.store.get(clip, array).astype(np.float64)
                if array in REAL:
                    rows = rows[: int(self.store.get(clip, REAL[array])[0])]
                count += len(rows)
                total += rows.sum(0)
                squares += np.square(rows).sum(0)
                largest = np.maximum(largest, np.abs(rows).max(0))
            mean = total / max(count, 1)
            spread = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
            self._statistics[speaker, array] = mean, np.where(spread > CONSTANT * largest, spread, 1.0)
        return self._statistics[speaker, array]
