"""Attention of all test clips together, by hand."""

import numpy as np
import pytest

from avemotion.report import pooled_attention


def test_profiles_and_entropy_by_hand():
    assert pooled_attention.entropy(np.full(7, 1 / 7)) == pytest.approx(1)
    assert pooled_attention.entropy(np.array([0, 1.0, 0])) == 0
    assert pooled_attention.entropy(np.array([0.5, 0.5, 0, 0])) == pytest.approx(0.5)
    assert np.isnan(pooled_attention.entropy(np.ones(1)))
    assert pooled_attention.profile(np.array([0.75, 0.25])).tolist() == pytest.approx([1.5] * 10 + [0.5] * 10)
    for steps in (1, 3, 8, 33, 400):
        weights = np.random.default_rng(steps).dirichlet(np.ones(steps))
        assert pooled_attention.profile(weights).mean() == pytest.approx(1)
