"""Files that were joined end to end: their timestamps start anew, and are continued on the file's clock."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from avemotion.media import container as containers

RESTART = 1.0  # seconds; timestamps that jump back by more start anew
LONGEST = 3600.0  # seconds of a hole; timestamps that jump ahead by more are damaged
WHOLE = (Fraction(0),)  # offsets of a file of one part
# Formats whose files may be joined, or written on after a break. The others have an index, or count samples.
JOINABLE = ("mpegts", "mpeg", "matroska,webm")


def offsets(path: Path) -> tuple[Fraction, ...]:
    """Seconds to add to the timestamps of each part of a file, for sound and picture alike; WHOLE if it is one part.

    A part begins where the part before has ended in both. All of a file of the JOINABLE formats is read for it, once.

    Raises:
        OSError, RuntimeError: the file cannot be opened.
    """
    stat = path.stat()
    return _offsets(path, stat.st_size, stat.st_mtime_ns)


@dataclass(kw_only=True)
class Parts:
    """Counts the parts of one stream, in the order of its timestamps."""

    second: float = 1.0  # ticks
    part: int = 0
    latest: float = -math.inf

    def of(self, tick: float) -> int:
        """The part of a timestamp."""
        ahead = (tick - self.latest) / self.second
        if ahead < -RESTART:
            self.part, self.latest = self.part + 1, tick
        elif not LONGEST < ahead < math.inf:
            self.latest = max(self.latest, tick)
        return self.part


@lru_cache(maxsize=8)  # the turns of one film
def _offsets(path: Path, size: int, modified: int) -> tuple[Fraction, ...]:
    with containers.opened(path) as container:
        streams = [*containers.tracks(container, "audio"), *containers.tracks(container, "video")]
        if container.format.name not in JOINABLE:
            return WHOLE
        counters = {stream.index: Parts() for stream in streams}
        last: dict[int, Fraction] = {}  # begin of the packet before, by stream
        spans: list[tuple[Fraction, Fraction]] = []
        for packet in containers.packets_of(container, streams):
            stamps = [stamp * packet.time_base for stamp in (packet.dts, packet.pts) if stamp is not None]
            if not stamps:
                continue
            order, begin = stamps[0], stamps[-1]
            counter = counters[packet.stream_index]
            part = counter.of(float(order))
            if float(order) > counter.latest:  # damaged
                continue
            step = order - last.get(packet.stream_index, order)
            last[packet.stream_index] = order
            end = begin + ((packet.duration or 0) * packet.time_base or max(step, Fraction(0)))
            if part == len(spans):
                spans.append((begin, end))
            spans[part] = (min(begin, spans[part][0]), max(end, spans[part][1]))
    return _joined(spans)


def _joined(spans: Sequence[tuple[Fraction, Fraction]]) -> tuple[Fraction, ...]:
    """(begin, end) of each part by its own timestamps -> seconds to add, so that each begins at the end of the last."""
    added = [Fraction(0)]
    for (_, end), (begin, _) in pairwise(spans):
        added.append(added[-1] + end - begin)
    return tuple(added)
