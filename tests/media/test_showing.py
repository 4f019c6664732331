"""Which frames stand for an interval: hand arithmetic in ticks of a hundredth of a second."""

from fractions import Fraction

import pytest

from avemotion.media.film.showing import Frame, Shown, middles, shown

UNIT = Fraction(1, 100)


def film(*ticks, last=10):
    return [Frame(tick, until) for tick, until in zip(ticks, [*ticks[1:], ticks[-1] + last], strict=True)]


@pytest.mark.parametrize(
    ("ticks", "start", "end", "expected"),
    [
        ((0, 10, 20, 30), None, None, [(0, 0, 10), (10, 10, 20), (20, 20, 30), (30, 30, 40)]),
        ((0, 10, 20, 30), 10, 30, [(10, 10, 20), (20, 20, 30)]),
        ((0, 10, 20, 30), 5, 25, [(10, 10, 20), (20, 20, 30)]),  # frames that begin in the interval, whole
        ((0, 10, 20, 30), 12, 18, [(10, 12, 20)]),  # none begins in it: the one on screen
        ((0, 10, 20, 30), 50, 60, []),
        ((300, 310), None, 400, [(300, 300, 310), (310, 310, 320)]),  # starts at 3 s
        ((0, 100, 200), 30, 160, [(0, 30, 100), (100, 100, 160)]),  # held frames
        ((0, 10, 800), 400, 700, [(10, 400, 510)]),  # after 5 s without a new frame there is no picture
        ((0, 10, 800), 600, 700, []),
    ],
)
def test_frames_of_an_interval(ticks, start, end, expected):
    assert shown(film(*ticks), start, end, UNIT) == [Shown(*part) for part in expected]


def test_middles_are_those_of_the_time_with_a_picture():
    parts = [Shown(0, 0, 10), Shown(10, 10, 20), Shown(500, 500, 540)]  # 60 ticks in all
    assert [part.tick for part in middles(parts, 3)] == [10, 500, 500]  # at 10, 30 and 50 of them
    assert [part.tick for part in middles(parts, 12)] == [0, 0, 10, 10] + [500] * 8
