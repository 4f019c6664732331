"""Resamples a stream of mono blocks; memory is bounded for every rate."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

# torchaudio's kernel has rate / gcd phases: exact and fast for the usual rates (48,000 Hz: 3 to 1; 44,100 Hz: 441 to
# 160), but gigabytes for a rate such as 44,099 Hz. Beyond this number soxr resamples.
EXACT = 1000

Mono = tuple[np.ndarray, int]  # float32 [samples], Hz


def resampled(blocks: Iterable[Mono], sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks of a sound without holes -> parts of it at sample_rate.

    Blocks of another rate begin a new run. Each run is resampled by itself, from the sample nearest to its time on.
    """
    seconds, written = 0.0, 0
    for rate, run in groupby(blocks, key=lambda block: block[1]):
        counted = _Counted(run)
        begin = round(seconds * sample_rate)
        if begin > written:
            yield np.zeros(begin - written, np.float32)
        surplus = max(0, written - begin)
        written = max(written, begin)
        for part in _parts(counted, rate, sample_rate):
            kept = part[surplus:] if surplus else part
            surplus = max(0, surplus - len(part))
            if len(kept):
                yield kept
            written += len(kept)
        seconds += counted.samples / rate


@dataclass
class _Counted:
    """The samples of a run, and their number so far."""

    run: Iterable[Mono]
    samples: int = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block, _ in self.run:
            self.samples += len(block)
            yield block


def _parts(blocks: _Counted, rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    if rate == sample_rate:
        yield from blocks
        return
    common = math.gcd(rate, sample_rate)
    by = _by_phases if max(rate, sample_rate) // common <= EXACT else _by_soxr
    yield from by(blocks, rate, sample_rate)


def _by_soxr(blocks: _Counted, rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    import soxr

    stream, written = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ"), 0
    for block in blocks:
        part = stream.resample_chunk(np.ascontiguousarray(block))
        written += len(part)
        yield part
    # As many samples as the other method gives: all that begin before the sound ends.
    left = -(-blocks.samples * sample_rate // rate) - written
    last = stream.resample_chunk(np.zeros(0, np.float32), last=True)[: max(0, left)]
    yield np.pad(last, (0, max(0, left - len(last))))


def _by_phases(blocks: _Counted, rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """Resample in parts of a minute: an hour at once takes gigabytes.

    Each part is computed with a margin on both sides that is longer than the filter, so that the joined parts equal the
    resampled whole.
    """
    common = math.gcd(rate, sample_rate)
    before, after, steps = rate // common, sample_rate // common, 60 * common  # `before` samples become `after`
    margin = 10  # steps; the filter is shorter than 8 on each side
    waiting: list[np.ndarray] = []  # samples from step max(0, first - margin) on
    first = 0

    def next_part() -> np.ndarray:
        """The next part; `waiting` keeps the samples that the part after it needs."""
        nonlocal waiting, first
        start, stop = max(0, first - margin), first + steps
        samples = np.concatenate(waiting)
        whole = _at_once(samples[: (stop + margin - start) * before], rate, sample_rate)
        end = min(stop * after, -(-blocks.samples * after // before))
        waiting, begin, first = [samples[(stop - margin - start) * before :].copy()], first, stop
        return whole[(begin - start) * after : end - start * after]

    for block in blocks:
        waiting.append(block)
        while blocks.samples >= (first + steps + margin) * before:
            yield next_part()
    while first * before < blocks.samples:
        yield next_part()


def _at_once(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    # Imported here, because it takes seconds and recordings at the wanted rate do not need it.
    import torch
    import torchaudio.functional as AF

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for one recording, and the last bit is the same on every machine
    try:
        return AF.resample(torch.from_numpy(np.ascontiguousarray(waveform)), rate, sample_rate).numpy()
    except RuntimeError as error:
        if "allocate memory" in str(error):  # torch has no class for it on the CPU; it is no fault of the file
            raise MemoryError(str(error)) from error
        raise
    finally:
        torch.set_num_threads(threads)
