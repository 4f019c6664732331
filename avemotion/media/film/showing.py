"""When each frame of a film is on screen, and which frames stand for an interval. Pure arithmetic in ticks.

A tick is the unit of the timestamps of the stream.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

# Seconds. A film of a variable rate holds a frame as long as nothing changes, but a person who speaks does change.
# After this time without a new frame there is no picture, whatever the container says.
HOLD = 5.0
# Seconds. Frames of an interval are those that begin in it. Only if the first begins later than this, the frame before,
# which is still on screen, counts as well.
LATE = 0.1
ROUNDING = 1e-7  # seconds, of times that are given in seconds


@dataclass(frozen=True, order=True)
class Frame:
    """A frame by its timestamps: when it appears, and when the next one does or the container says that it ends."""

    tick: int
    until: int
    key: bool = False


@dataclass(frozen=True)
class Shown:
    """A part of an interval, from begin to end in ticks, in which one frame is on screen."""

    tick: int  # timestamp of the frame
    begin: int
    end: int


def shown(frames: Sequence[Frame], start: float | None, end: float | None, unit: Fraction) -> list[Shown]:
    """The frames of [start, end), each with the time in which it is on screen.

    Args:
        frames: in order; those from the last one before start to the first one after end, or more.
        start, end: ticks; None = without limit.
        unit: seconds per tick.
    """
    hold, late, rounding = (seconds / float(unit) for seconds in (HOLD, LATE, ROUNDING))
    parts = []
    for i, frame in enumerate(frames):
        if end is not None and frame.tick >= end - rounding:
            break
        until = round(min(frame.until, frame.tick + hold))
        if end is not None and until > end + late:
            until = round(end)
        if start is None or frame.tick >= start - rounding:
            parts.append(Shown(frame.tick, frame.tick, until))
        elif until > start and (i + 1 == len(frames) or frames[i + 1].tick > min(start + late, end or start + late)):
            parts.append(Shown(frame.tick, round(start), until))
    return [part for part in parts if part.end > part.begin]


def middles(parts: Sequence[Shown], count: int) -> list[Shown]:
    """The frames at the middles of `count` equal parts of the time that `parts` cover together."""
    ends = list(accumulate(part.end - part.begin for part in parts))
    return [parts[bisect_right(ends, (2 * i + 1) * ends[-1] // (2 * count))] for i in range(count)]


def length(parts: Sequence[Shown]) -> int:
    """Ticks that parts cover."""
    return sum(part.end - part.begin for part in parts)
