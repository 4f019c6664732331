"""Timestamps of the packets and frames of a picture track, in ticks on the file's clock."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from avemotion.media import container as containers
from avemotion.media.joints import Parts


class Clock:
    """Places packets and frames of one pass over a file.

    Args:
        container, stream: of the open file.
        offsets: seconds to add to the timestamps of each part (joints.offsets).
    """

    def __init__(self, container: Any, stream: Any, offsets: Sequence[Fraction]):
        self._stream, unit = stream, stream.time_base
        self._start = round(containers.clock_start(container) / unit)
        self._offsets = [round(seconds / unit) - self._start for seconds in offsets]
        # AVI has no timestamps but the order of its packets: FFmpeg's `pts` there are guesses.
        self.by_order = container.format.name == "avi"
        self._second = float(1 / unit)
        self.rewind()

    def rewind(self) -> None:
        """A new pass begins."""
        self._packets, self._frames = Parts(second=self._second), Parts(second=self._second)

    def in_file(self, tick: int) -> int:
        """The timestamp in the file of a tick on the clock, in the first part."""
        return tick + self._start

    def packet(self, packet: Any) -> tuple[int, int] | None:
        """When the frame of a packet is shown, and the time of the packet in the order of decoding."""
        shown = packet.pts if packet.pts is not None and not self.by_order else packet.dts
        if shown is None:
            return None
        order = shown if packet.dts is None else packet.dts
        offset = self._offset(self._packets, order)
        return shown + offset, order + offset

    def frame(self, frame: Any) -> int | None:
        """When a decoded frame is shown."""
        if self.by_order:
            # The timestamp is that of the packet that completed the frame, later by the frames that were reordered.
            stamp = None if frame.dts is None else frame.dts - self._stream.codec_context.reorder_depth
        else:
            stamp = frame.pts if frame.pts is not None else frame.dts
        return None if stamp is None else stamp + self._offset(self._frames, stamp)

    def _offset(self, parts: Parts, stamp: int) -> int:
        return self._offsets[min(parts.of(stamp), len(self._offsets) - 1)]
