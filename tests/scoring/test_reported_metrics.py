"""Scores that are only reported, against scikit-learn."""

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
