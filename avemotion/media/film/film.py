"""The picture track of an open file: timestamps of its frames, and the frames at given timestamps."""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.media import container as containers
from avemotion.media import joints
from avemotion.media.film.clock import Clock
from avemotion.media.film.showing import Frame

NEAR = 2.0  # seconds; an earlier time is reached by decoding from the beginning
BACK = (0.0, 5.0, 30.0)  # seconds before the wanted time at which a key frame is looked for
REORDER = 2.0  # seconds; packets are at most this far from the order of their frames
SHUFFLED = 16  # frames; no codec reorders more
STUCK = 64  # packets that may fail before the first frame
# Decoders that leave out single frames on request, if no other frame depends on them.
LEAVES_OUT = ("h264", "hevc", "mpeg4", "mpeg2video", "vp8")


class NoPictureError(RuntimeError):
    """The whole reason why a file has no picture."""


class Film:
    """One picture track. All times are ticks of its timestamps on the file's clock, `unit` seconds each.

    Header and index are not trusted: frames are known by the timestamps of packets and decoded frames.
    """

    def __init__(self, path: Path, index: int | None = None):
        """Open a file.

        Args:
            index: of the stream; None = the first of the tracks.

        Raises:
            NoPictureError: there is none.
            OSError, RuntimeError: the file cannot be opened.
        """
        self.path, self._stack = path, ExitStack()
        self._open(index)

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def _open(self, index: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        self._stack.close()
        self._container = self._stack.enter_context(containers.opened(self.path))
        self.tracks = containers.tracks(self._container, "video")
        if not self.tracks or containers.is_still(self._container):
            fault = containers.STILL_FAULT if containers.is_still(self._container) else "no picture in it"
            if self._container.streams.video and not self.tracks:
                codecs = [stream.codec_context for stream in self._container.streams.video]
                fault += " but a cover" if all(codecs) else ": unknown codec"
            self._stack.close()
            raise NoPictureError(fault)
        self._stream = self.tracks[0] if index is None else self._container.streams[index]
        containers.prepare(self._stream)
        self._read = False  # whether the file must be opened again to be read from its beginning
        self._converter = VideoReformatter()
        self.unit: Fraction = self._stream.time_base
        joinable = self._container.format.name in joints.JOINABLE
        self._offsets = joints.offsets(self.path) if joinable else joints.WHOLE
        self._clock = Clock(self._container, self._stream, self._offsets)

    @property
    def stated_seconds(self) -> float:
        """Length by the header; 0 if that is not to be relied on."""
        return containers.stated_seconds(self._container, self._stream)

    @property
    def index(self) -> int:
        return self._stream.index

    @property
    def parts(self) -> int:
        """Number of films that were joined to this one."""
        return len(self._offsets)

    def frames(self, start: float | None, end: float | None) -> list[Frame]:
        """Timestamps of the packets from the last before `start` to the first after `end`, in the order of showing."""
        reorder = float(REORDER / self.unit)
        found: dict[int, Frame] = {}
        for packet in self._packets(start):
            times = self._clock.packet(packet)
            if times is None or packet.is_discard:
                continue
            tick, order = times
            found[tick] = Frame(tick, tick + (packet.duration or 0), packet.is_keyframe)
            if end is not None and order > end + (0 if packet.dts is not None else reorder) and tick > end:
                break
        ordered = sorted(found.values())
        usual = sorted(later.tick - earlier.tick for earlier, later in pairwise(ordered))
        step = usual[len(usual) // 2] if usual else round(1 / self.unit / (self._stream.guessed_rate or 25))
        ends = [frame.tick for frame in ordered[1:]]
        if ordered:
            ends.append(ordered[-1].until if ordered[-1].until > ordered[-1].tick else ordered[-1].tick + max(1, step))
        return [replace(frame, until=until) for frame, until in zip(ordered, ends, strict=True)]

    def pick(self, wanted: Collection[int], keys: Sequence[int]) -> dict[int, np.ndarray]:
        """RGB pictures [H, W, 3] uint8 by timestamp, as far as they decode; skips to key frames between them.

        Args:
            wanted: timestamps of frames.
            keys: timestamps of key frames, ascending.
        """
        pictures: dict[int, np.ndarray] = {}
        left, jump = deque(sorted(wanted)), NEAR / self.unit
        while left:
            target = left[0]  # no second jump to it
            for tick, frame in self._decoded(target, only=wanted):
                if tick in wanted:
                    pictures[tick] = self._rgb(frame)
                while left and left[0] <= tick:
                    left.popleft()
                if not left or (left[0] > target and keys[bisect_right(keys, left[0]) - 1] > tick + jump):
                    break
            else:
                break
        return pictures

    def scan(self, wanted: Collection[int], start: int, stop: int) -> tuple[dict[int, np.ndarray], set[int]]:
        """The same without skipping, and the timestamps of all frames from start to stop that decode."""
        pictures: dict[int, np.ndarray] = {}
        decoded: set[int] = set()
        for tick, frame in self._decoded(start):
            decoded.add(tick)
            if tick in wanted:
                pictures[tick] = self._rgb(frame)
            if tick > stop:
                break
        return pictures, decoded

    def first_decodes(self) -> bool:
        """Whether one of the first packets decodes to a frame."""
        return next(self._decoded(None, STUCK), None) is not None

    def _decoded(
        self, start: float | None, patience: int | None = None, only: Collection[int] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Timestamp and frame, in the order of showing, from a key frame at or before `start` on.

        Args:
            patience: number of packets to try; None = all.
            only: timestamps of the frames that are needed. Others may be missing: those on which no frame depends are
                not decoded.
        """
        import av

        last = -1
        all_needed = only is None or self._clock.by_order or self._stream.codec_context.name not in LEAVES_OUT
        for tried, packet in enumerate(self._packets(start), start=1):  # it may open the file anew
            times = None if all_needed else self._clock.packet(packet)
            needed = only is None or times is None or times[0] in only
            self._stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.FFmpegError:
                frames = []
            for frame in frames:
                tick = self._clock.frame(frame)
                last = last + max(1, frame.duration or 0) if tick is None else tick
                yield last, frame
            if patience is not None and tried >= patience:
                return

    def _packets(self, start: float | None) -> Iterator[Any]:
        """Packets in the order of decoding, from a key frame at or before `start` on."""
        import av

        # In AVI, a key frame is shown after frames that follow it in the file and need an earlier one.
        earliest = 0.0 if start is None else float(start) - (SHUFFLED if self._clock.by_order else 0)
        for back in BACK:
            if earliest * self.unit - back <= NEAR or self.parts > 1:
                break
            at = round(earliest - back / self.unit)
            try:
                self._read = True
                self._container.seek(self._clock.in_file(at), stream=self._stream)
            except MemoryError:
                raise
            except av.FFmpegError:
                break
            packets = containers.packets_of(self._container, self._stream)
            first = next(packets, None)
            times = None if first is None else self._clock.packet(first)
            if times is not None and first.is_keyframe and times[0] <= earliest:
                yield first
                yield from packets
                return
        if self._read:
            self._open(self.index)  # seeking to the beginning fails in damaged files
        self._read = True
        self._clock.rewind()
        yield from containers.packets_of(self._container, self._stream)

    def _rgb(self, frame: Any) -> np.ndarray:
        """A decoded frame as [H, W, 3] uint8, upright."""
        picture = self._converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        quarters = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture
