"""Variance of seeds apart from that of splits: by hand, by simulation, and in the table of a grid."""

import numpy as np
import pytest

from avemotion.comparison import grid, runs


def test_by_hand():
    # Splits a: 1, 3 and b: 5, 7. Within: 2 each, so 2. Between: 2 (2^2 + 2^2) / 1 = 16; (16 - 2) / 2 runs = 7.
    seeds, splits = grid.components(np.array([1.0, 3.0, 5.0, 7.0]), ["a", "a", "b", "b"])
    assert (seeds, splits) == pytest.approx((2**0.5, 7**0.5))
    # Equal means: seeds explain all.
    assert grid.components(np.array([1.0, 3.0, 3.0, 1.0]), ["a", "a", "b", "b"]) == pytest.approx((2**0.5, 0.0))
    # 3 runs and 1: within 2 / 2; mean 2.5; between 3 * .5^2 + 1.5^2 = 3; n0 = 4 - 10 / 4 = 1.5; (3 - 1) / 1.5.
    assert grid.components(np.array([1.0, 2.0, 3.0, 4.0]), [1, 1, 1, 2]) == pytest.approx((1.0, (2 / 1.5) ** 0.5))


def test_what_cannot_be_told_apart_is_nan():
    assert np.isnan(grid.components(np.array([1.0, 3.0]), ["a", "b"])).all()
    seeds, splits = grid.components(np.array([1.0, 3.0]), ["a", "a"])
    assert seeds == pytest.approx(2**0.5) and np.isnan(splits)


def test_simulated_components_come_back():
    rng = np.random.default_rng(0)
    effect = np.repeat(rng.normal(0, 0.03, 400), 5)
    seeds, splits = grid.components(0.5 + effect + rng.normal(0, 0.01, 2000), list(np.repeat(np.arange(400), 5)))
    assert (seeds, splits) == pytest.approx((0.01, 0.03), rel=0.1)


def test_only_a_split_that_is_dealt_counts():
    manifest = {"emotion": {"split": "actor_kfold", "deal": 3}, "affect": {"split": "sessions", "deal": 2}}
    assert runs._split({"manifest": manifest}) == (3, 0)
    assert runs._split({"seed": 1}) == (0, 0)  # a project of an older version
