"""Mixes channels to one."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

# The mean of two equal voices in opposite phase is silence. Of independent channels it keeps half of the energy, of one
# channel beside a silent one a quarter; below this share of the louder channel's energy, the channels cancel.
CANCELLED = 0.01


@dataclass(kw_only=True)
class Downmix:
    """The mean over channels. Where the channels cancel, one of them: the one that was louder where they first did."""

    channel: int | None = None  # the one in use where channels cancel
    cancelled_seconds: float = 0.0
    samples: Counter[int] = field(default_factory=Counter)  # number of mixed samples by their rate in Hz

    @property
    def seconds(self) -> float:
        """Length of the mixed sound."""
        return sum(count / rate for rate, count in self.samples.items())

    def mix(self, blocks: Iterable[tuple[np.ndarray, int]]) -> Iterator[tuple[np.ndarray, int]]:
        """Blocks of (float32 [samples, channels], Hz) -> (float32 [samples], Hz).

        The decision is made for each second by itself, so that the beginning of a recording is the same whether or not
        the rest is read.
        """
        for samples, rate in _by_second(blocks):
            mono = mean(samples)
            if samples.shape[1] > 1:
                energy = np.array([np.einsum("s,s->", one, one) for one in samples.T])
                if np.einsum("s,s->", mono, mono) < CANCELLED * energy.max():
                    if self.channel is None or self.channel >= len(energy):
                        self.channel = int(energy.argmax())
                    mono = np.ascontiguousarray(samples[:, self.channel])
                    self.cancelled_seconds += len(mono) / rate
            self.samples[rate] += len(mono)
            yield mono, rate


def mean(samples: np.ndarray) -> np.ndarray:
    """float32 [samples, channels] -> mean over channels [samples]; for two, np.mean takes six times as long."""
    first, *others = samples.T
    if not others:
        return first
    total = first.copy()
    for channel in others:
        total += channel
    total /= np.float32(samples.shape[1])
    return total


def _by_second(blocks: Iterable[tuple[np.ndarray, int]]) -> Iterator[tuple[np.ndarray, int]]:
    """The same samples; those of several channels in parts of one second, whatever the length of the blocks."""
    waiting: list[np.ndarray] = []
    form, count = (0, 0), 0
    for samples, rate in blocks:
        if (samples.shape[1], rate) != form:
            if waiting:
                yield np.concatenate(waiting), form[1]
            waiting, count, form = [], 0, (samples.shape[1], rate)
        if form[0] == 1:
            yield samples, rate
            continue
        waiting.append(samples)
        count += len(samples)
        while count >= rate:
            joined = np.concatenate(waiting)
            yield joined[:rate], rate
            waiting, count = [joined[rate:]], count - rate
    if count:
        yield np.concatenate(waiting), form[1]
