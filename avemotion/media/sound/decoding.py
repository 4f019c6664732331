"""Decodes the sound of a file into blocks with their times; counts what does not decode."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.media import container as containers

BLOCK = 1 << 16  # samples of a block of soundfile
AUDIBLE = 1e-4  # -80 dB of full scale; a track that stays below is passed over if another one does not
RATES = (100, 10_000_000)  # Hz; other values are damaged headers
UNTIMED = ("aac",)  # formats whose times FFmpeg counts in packets of the first rate, which may change
SCALES = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}


@dataclass(frozen=True, kw_only=True)
class Block:
    """Decoded samples."""

    samples: np.ndarray  # float32 [samples, channels]
    rate: int  # Hz
    begin: float | None  # seconds on the file's clock; None = directly after the block before


@dataclass(kw_only=True)
class Decoding:
    """What is known of the decoding of a file after its blocks were read."""

    path: Path
    track: list[str] = field(default_factory=list)  # which track was chosen, if there is a choice
    bad_packets: int = 0
    bad_seconds: float = 0.0
    error: str = ""  # of the last bad packet
    stated: float = 0.0  # seconds by the header; 0 = unknown

    def blocks(self) -> Iterator[Block]:
        """The blocks of the file; none if it has no samples.

        libsndfile decodes wav and FLAC, many times faster than PyAV and with the same samples. FFmpeg decodes
        everything else, and the rest of a file at which libsndfile fails. The content decides, not the name.

        Raises:
            OSError, RuntimeError: the file does not decode or has no sound track.
        """
        done = 0.0
        if _is_plain(self.path):
            import soundfile

            try:
                with soundfile.SoundFile(self.path) as sound:
                    for block in sound.blocks(BLOCK, dtype="float32", always_2d=True):
                        yield Block(samples=block, rate=sound.samplerate, begin=None)
                        done += len(block) / sound.samplerate
                if done:
                    return
            except RuntimeError:  # soundfile's errors
                pass
        for block in self._by_ffmpeg():
            if done and block.begin is not None:
                block = _after(block, done)
            if len(block.samples):
                yield block

    def _by_ffmpeg(self) -> Iterator[Block]:
        with containers.opened(self.path) as container:
            streams = containers.tracks(container, "audio")
            if not streams:
                raise RuntimeError("unknown codec" if container.streams.audio else "no sound track")
            index, passed = _audible(self.path, streams)
            stream = container.streams[index]
            self.track = containers.choice_note("sound", index, [s.index for s in streams], passed)
            containers.prepare(stream)
            yield from self._decoded(container, stream)

    def _decoded(self, container: Any, stream: Any) -> Iterator[Block]:
        import av

        self.stated = containers.stated_seconds(container, stream)
        start, usual, decoded = containers.clock_start(container), 0.0, False
        untimed = container.format.name in UNTIMED
        # Seconds of a frame are pts * unit - start; Fractions for each of many small frames would take time.
        unit: Fraction = stream.time_base
        scale = unit.denominator * start.denominator
        step, zero = unit.numerator * start.denominator, start.numerator * unit.denominator
        for packet in containers.packets_of(container, stream):
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.FFmpegError as error:
                if packet.size:
                    self.bad_packets += 1
                    self.bad_seconds += float(packet.duration * packet.time_base) if packet.duration else usual
                    self.error = containers.error_of(error)
                continue
            for frame in frames:
                if not RATES[0] <= frame.sample_rate <= RATES[1]:
                    raise RuntimeError(f"a sample rate of {frame.sample_rate} Hz")
                begin = None if frame.pts is None or untimed else (frame.pts * step - zero) / scale
                usual, decoded = frame.samples / frame.sample_rate, True
                yield Block(samples=samples_of(frame), rate=frame.sample_rate, begin=begin)
        if self.bad_packets and not decoded:
            raise RuntimeError(self.error)


def samples_of(frame: Any) -> np.ndarray:
    """A decoded frame as float32 [samples, channels], full scale 1."""
    values = frame.to_ndarray()  # [channels, samples], or [1, samples * channels]
    values = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    name = frame.format.name.removesuffix("p")
    if name not in SCALES:  # floats
        return values.astype(np.float32, copy=False)
    if name == "u8":
        values = values.astype(np.int16) - 128
    scaled = values.astype(np.float64) if name in ("s32", "s64") else values.astype(np.float32)
    return (scaled / SCALES[name]).astype(np.float32)


def _after(block: Block, seconds: float) -> Block:
    """The part of a block after the first seconds of the file."""
    assert block.begin is not None
    known = min(len(block.samples), max(0, round((seconds - block.begin) * block.rate)))
    return Block(samples=block.samples[known:], rate=block.rate, begin=block.begin + known / block.rate)


def _is_plain(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return (head[:4] == b"RIFF" and head[8:] == b"WAVE") or head[:4] == b"fLaC"


def _audible(path: Path, streams: list[Any]) -> tuple[int, int]:
    """The index of the first track that is not silent, and the number of tracks before it; the first one if all are."""
    if len(streams) > 1:
        for passed, stream in enumerate(streams):
            if _has_sound(path, stream.index):
                return stream.index, passed
    return streams[0].index, 0


def _has_sound(path: Path, index: int) -> bool:
    decoding = Decoding(path=path)
    try:
        with containers.opened(path) as container:
            containers.prepare(container.streams[index])
            blocks = decoding._decoded(container, container.streams[index])
            return any(np.abs(block.samples.mean(1)).max(initial=0.0) > AUDIBLE for block in blocks)
    except RuntimeError:
        return False
