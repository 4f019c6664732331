"""Places decoded blocks on the file's clock: holes become silence, overlaps are cut."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from avemotion.media.joints import LONGEST, RESTART
from avemotion.media.sound.decoding import Block

# Seconds. Timestamps of clean files differ by less from the number of samples (rounding to milliseconds, to packets of
# AVI, priming of encoders), and viewers do not notice it: the threshold of ITU-R BT.1359 is 45 ms.
JITTER = 0.04


@dataclass(kw_only=True)
class Placement:
    """The position on the clock, and the holes so far."""

    offsets: Callable[[], Sequence[Fraction]]  # seconds to add to the timestamps of each part of a joined file
    seconds: float = 0.0  # end of the sound so far
    start: float = 0.0  # of the first sample, if later than JITTER
    holes: int = 0
    hole_seconds: float = 0.0
    cut_seconds: float = 0.0
    restarts: int = 0
    _offset: float = 0.0  # of timestamps that start anew

    def place(self, blocks: Iterable[Block]) -> Iterator[tuple[np.ndarray, int]]:
        """Blocks -> (float32 [samples, channels], Hz) without holes, from zero on the clock.

        Raises:
            RuntimeError: a hole is longer than an hour.
        """
        first = True
        for block in blocks:
            samples, late = block.samples, self._late(block)
            if late > JITTER:
                if late > LONGEST:
                    raise RuntimeError(f"timestamps jump from {self.seconds:.2f} s by {late:.0f} s")
                if first:
                    self.start = late
                else:
                    self.holes, self.hole_seconds = self.holes + 1, self.hole_seconds + late
                yield from self._forward(_silence(late, block))
            elif late < -JITTER:
                known = min(len(samples), round(-late * block.rate))
                samples = samples[known:]
                self.cut_seconds += known / block.rate
            first = False
            yield from self._forward([(samples, block.rate)])

    def _late(self, block: Block) -> float:
        if block.begin is None:
            return 0.0
        late = block.begin + self._offset - self.seconds
        if late < -RESTART:
            self.restarts += 1
            known = self.offsets()
            self._offset = float(known[self.restarts]) if self.restarts < len(known) else self._offset - late
            late = block.begin + self._offset - self.seconds
        return late

    def _forward(self, parts: Iterable[tuple[np.ndarray, int]]) -> Iterator[tuple[np.ndarray, int]]:
        for samples, rate in parts:
            if len(samples):
                yield samples, rate
                self.seconds += len(samples) / rate


def _silence(seconds: float, like: Block) -> Iterator[tuple[np.ndarray, int]]:
    """Zeros, a second at a time."""
    left = round(seconds * like.rate)
    while left > 0:
        count = min(left, like.rate)
        yield np.zeros((count, like.samples.shape[1]), np.float32), like.rate
        left -= count
