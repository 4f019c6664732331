"""Models are compared on the same test rows only."""

from pathlib import Path

import pytest

from avemotion.comparison import paired


@pytest.fixture
def here(experiments, monkeypatch) -> Path:
    monkeypatch.chdir(experiments)
    return experiments


def test_missing_rows_are_refused(here):
    first = paired.read(Path(), "a", "fusion", affect=True, on="test")
    second = paired.read(Path(), "b", "fusion", affect=True, on="test")
    fewer = paired.Judged(**vars(second) | {"emotion": second.emotion[second.emotion["id"] != "c007"]})
    with pytest.raises(ValueError, match=r"a and b have predictions of different test clips: 1 are in one .* \(c007\)"):
        paired.check_same_rows(first, fewer)
    moved = second.affect.assign(valence=second.affect["valence"] + 1)
    with pytest.raises(ValueError, match="valence of t000"):
        paired.check_same_rows(first, paired.Judged(**vars(second) | {"affect": moved}))
