"""Which clips the attention pictures show."""

import pandas as pd

from avemotion.plots.common import clip_attention


def test_chosen_clips_span_the_errors():
    error = pd.Series({"e": 0.5, "a": 0.1, "d": 0.4, "b": 0.1, "c": 0.3})
    assert list(clip_attention.choose(error, 3, 0))[1:] == ["c", "e"]
    assert sorted(list(clip_attention.choose(error, 5, 0))[:2]) == ["a", "b"]
    assert list(clip_attention.choose(error, 5, 0))[2:] == ["c", "d", "e"]
    assert list(clip_attention.choose(error, 5, 0).values()) == ["best", "25%", "median", "75%", "worst"]
    assert clip_attention.choose(error[:1], 3, 0) == {"e": "best"}


def test_equal_errors_are_drawn_by_seed_whatever_their_order():
    error = pd.Series(0.0, index=[f"c{i}" for i in range(20)])
    first = clip_attention.choose(error, 3, 1)
    assert first == clip_attention.choose(error[::-1], 3, 1)
    assert len({next(iter(clip_attention.choose(error, 3, seed))) for seed in range(20)}) > 5
