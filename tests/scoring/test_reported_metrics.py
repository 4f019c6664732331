"""Scores that are only reported, against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from avemotion.scoring import reported_metrics


def test_reliability_equals_sklearn():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.3, 0.5, 0.4], 500)
    truth = rng.integers(0, 3, 500)
    table = reported_metrics.reliability(truth, probabilities, bins=10)
    right = probabilities.argmax(1) == truth
    accuracy, confidence = calibration_curve(right, probabilities.max(1), n_bins=10)
    assert table["accuracy"].tolist() == pytest.approx(accuracy)
    assert table["confidence"].tolist() == pytest.approx(confidence)
    assert table["clips"].sum() == 500
    error = (np.abs(accuracy - confidence) * table["clips"]).sum() / 500
    assert reported_metrics.calibration_error(truth, probabilities, bins=10) == pytest.approx(error)


def test_mse_and_its_root_by_hand():
    truth, prediction = [1.0, 2.0, 4.0], [2.0, 2.0, 1.0]
    assert reported_metrics.mse(truth, prediction) == pytest.approx((1 + 0 + 9) / 3)
    assert reported_metrics.rmse(truth, prediction) == pytest.approx(math.sqrt(10 / 3))
    assert math.isnan(reported_metrics.mse([], [])) and list(reported_metrics.AGREEMENT) == ["pearson", "mse", "rmse"]
