"""Windows of a recording."""

from itertools import pairwise

import numpy as np
import pytest

from avemotion.prediction import recording


@pytest.mark.parametrize(
    ("seconds", "window", "hop", "expected"),
    [
        (3.7, 4, 4, [(0, 3.7)]),
        (5.9, 4, 4, [(0, 5.9)]),
        (6.1, 4, 4, [(0, 4), (4, 6.1)]),
        (12, 4, 4, [(0, 4), (4, 8), (8, 12)]),
        (6.4, 4, 1, [(0, 4), (1, 5), (2, 6.4)]),
        (0.2, 4, 1, [(0, 0.2)]),
    ],
)
def test_windows_by_hand(seconds, window, hop, expected):
    assert recording.spans(seconds, window, hop) == expected


def test_windows_cover_a_recording():
    for seconds in np.linspace(0.3, 40, 57):
        for hop in (0.5, 1.5, 3.0):
            spans = recording.spans(seconds, 3.0, hop)
            assert spans[0][0] == 0 and spans[-1][1] == seconds
            assert all(0 < end - start <= 3.0 + hop / 2 for start, end in spans)
            assert all(later[0] <= earlier[1] for earlier, later in pairwise(spans))
            assert seconds < 3.0 or all(end - start >= 3.0 - hop / 2 - 1e-9 for start, end in spans)
