"""Reads recordings as mono waveforms that begin with the file's clock (container.py)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avemotion.media import container as containers
from avemotion.media import joints
from avemotion.media.sound.decoding import Decoding
from avemotion.media.sound.downmix import Downmix
from avemotion.media.sound.placement import Placement
from avemotion.media.sound.resampling import Mono, resampled
from avemotion.system.media_error import MediaError, error_text

SAMPLE_RATE = 16_000  # Hz, of every extractor
REMEDY = "repair or remove the file"


class Sound:
    """The sound of one file, read block by block. `seconds` and `notes` are complete after the last block."""

    def __init__(self, path: Path):
        self._decoding = Decoding(path=Path(path))
        self._placement = Placement(offsets=lambda: joints.offsets(Path(path)))
        self._downmix = Downmix()
        self._short: list[str] = []

    def blocks(self) -> Iterator[Mono]:
        """Blocks of (float32 [samples], Hz) without holes: what every reader of the file gets, before resampling.

        Raises:
            OSError, RuntimeError: the file does not decode, has no sound track, or less than half of it decodes.
        """
        placed = self._placement.place(self._decoding.blocks())
        yield from self._downmix.mix(placed)
        read, lost = self.seconds - self._placement.hole_seconds, self._decoding.bad_seconds
        if lost > read:  # a few bad packets are usual; if most are bad, the file is damaged
            raise RuntimeError(f"sound decodes for {read:.2f} s of {read + lost:.2f} s only")
        if read:
            self._short = containers.short_note("sound", read - self._placement.start, self._decoding.stated)

    @property
    def seconds(self) -> float:
        """End of the sound on the file's clock."""
        return self._downmix.seconds

    @property
    def notes(self) -> list[str]:
        """What differs from a clean file with one track; complete sentences without the path."""
        decoding, placement, mixed = self._decoding, self._placement, self._downmix
        notes = [*decoding.track, *self._short]
        if placement.start:
            notes.append(f"sound: starts at {placement.start:.2f} s; silence before")
        if decoding.bad_packets:
            lost, of = decoding.bad_seconds, self.seconds
            notes.append(f"sound: {decoding.bad_packets} bad packets are skipped ({lost:.2f} s of {of:.2f} s)")
        if placement.holes:
            notes.append(f"sound: {placement.holes} holes of together {placement.hole_seconds:.2f} s are silence")
        if placement.cut_seconds:
            notes.append(f"sound: {placement.cut_seconds:.2f} s overlap the sound before and are cut")
        if placement.restarts:
            notes.append(f"sound: timestamps start anew {placement.restarts} times; the parts are joined")
        if mixed.cancelled_seconds:
            share = f"{mixed.cancelled_seconds:.2f} s of {self.seconds:.2f} s"
            notes.append(f"sound: the channels cancel each other in {share}; channel {mixed.channel + 1} is used there")
        return notes


def read_sound(
    path: Path, sample_rate: int = SAMPLE_RATE, seconds: float | None = None
) -> tuple[np.ndarray, list[str]]:
    """`read_waveform`, and notes on what differs from a clean file (complete if all of it is read)."""
    sound = Sound(path)
    wanted = None if seconds is None else round(seconds * sample_rate)
    samples = bytearray()  # it grows in place, so memory holds the sound once, not also in parts
    try:
        for part in resampled(_finite(path, sound.blocks()), sample_rate):
            samples += np.ascontiguousarray(part).data
            if wanted is not None and len(samples) >= wanted * part.itemsize:
                break
    except (OSError, RuntimeError) as error:
        raise MediaError(path, f"cannot be read as sound ({error_text(error)}); {REMEDY}") from error
    if not samples:
        raise MediaError(path, f"holds no sound; {REMEDY}")
    return np.frombuffer(samples, np.float32)[:wanted], sound.notes


def read_waveform(path: Path, sample_rate: int = SAMPLE_RATE, seconds: float | None = None) -> np.ndarray:
    """The sound of any media file as float32 [samples] in about -1..1, mean over channels, resampled.

    Sample n lies at n / sample_rate on the file's clock: where a stream starts late or has a hole, samples are zero.

    Args:
        seconds: read only this many seconds from the beginning; None = all.

    Raises:
        MediaError: the file does not decode, is empty, or has NaN or infinite samples.
    """
    return read_sound(path, sample_rate, seconds)[0]


def read_start(path: Path, seconds: float) -> tuple[np.ndarray, bool]:
    """The first seconds of `read_waveform`, and whether the recording is longer."""
    return start(read_waveform(path, seconds=seconds + 1 / SAMPLE_RATE), seconds)


def start(waveform: np.ndarray, seconds: float) -> tuple[np.ndarray, bool]:
    """The first seconds of a waveform [samples] at SAMPLE_RATE, and whether it is longer."""
    limit = round(seconds * SAMPLE_RATE)
    return waveform[:limit], len(waveform) > limit


def _finite(path: Path, blocks: Iterator[Mono]) -> Iterator[Mono]:
    for samples, rate in blocks:
        if not np.isfinite(samples).all():
            raise MediaError(path, f"holds NaN or infinite samples; {REMEDY}")
        yield samples, rate
