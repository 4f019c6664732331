"""Scores against hand arithmetic, scikit-learn and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional import calibration_error, concordance_corrcoef, pearson_corrcoef

from avemotion.scoring import metrics, reported_metrics

# Class 3 is never predicted right, class 4 occurs in the prediction only, class 5 nowhere.
TRUTH = [0, 0, 0, 0, 1, 1, 2, 3]
PREDICTION = [0, 0, 1, 4, 1, 1, 0, 2]


def draw(seed: int, rows: int = 300, classes: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    return truth, np.where(rng.random(rows) < 0.6, truth, rng.integers(0, classes, rows))


def test_by_hand():
    assert metrics.accuracy(TRUTH, PREDICTION) == 4 / 8
    np.testing.assert_array_equal(metrics.recalls(TRUTH, PREDICTION, 6), [1 / 2, 1, 0, 0, math.nan, math.nan])
    assert metrics.uar(TRUTH, PREDICTION) == pytest.approx((1 / 2 + 1 + 0 + 0) / 4)
    # F1: 4/7, 4/5, 0, 0 and, for the class that only the prediction has, 0.
    assert metrics.macro_f1(TRUTH, PREDICTION) == pytest.approx((4 / 7 + 4 / 5) / 5)
    assert reported_metrics.weighted_f1(TRUTH, PREDICTION) == pytest.approx((4 * 4 / 7 + 2 * 4 / 5) / 8)
    assert metrics.confusion([0, 1, 1], [1, 1, 0], 3).tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 0]]
    # cov = 1, var = 2/3 and 8/3, means 2 and 3: 2 * 4/3 / (2/3 + 8/3 + 1)
    assert metrics.ccc([1, 2, 3], [1, 3, 5]) == pytest.approx((8 / 3) / (13 / 3))
    assert reported_metrics.pearson([1, 2, 3], [1, 3, 5]) == pytest.approx(1)
    assert reported_metrics.rmse([1, 2, 3], [1, 3, 5]) == pytest.approx(math.sqrt(5 / 3))
    # Confidences .9 (right), .8 (wrong), .3 (right) in three bins of 15: |.1| + |-.8| + |.7| over 3 rows.
    shares = [[0.9, 0.1, 0, 0], [0.8, 0.2, 0, 0], [0.2, 0.3, 0.25, 0.25]]
    assert reported_metrics.calibration_error([0, 1, 1], shares) == pytest.approx(1.6 / 3)
    assert reported_metrics.calibration_error([0, 1], [[1.0, 0], [0, 1.0]]) == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pair", [lambda seed: (np.array(TRUTH), np.array(PREDICTION)), draw])
def test_classification_agrees_with_scikit_learn(seed, pair):
    truth, prediction = pair(seed)
    assert metrics.accuracy(truth, prediction) == pytest.approx(sklearn_metrics.accuracy_score(truth, prediction))
    recalls = sklearn_metrics.recall_score(truth, prediction, labels=np.unique(truth), average=None, zero_division=0)
    assert metrics.uar(truth, prediction) == pytest.approx(recalls.mean())
    for score, average in ((metrics.macro_f1, "macro"), (reported_metrics.weighted_f1, "weighted")):
        expected = sklearn_metrics.f1_score(truth, prediction, average=average, zero_division=0)
        assert score(truth, prediction) == pytest.approx(expected)
    expected = sklearn_metrics.confusion_matrix(truth, prediction, labels=range(9))
    np.testing.assert_array_equal(metrics.confusion(truth, prediction, 9), expected)


def test_uar_agrees_with_balanced_accuracy():
    truth, prediction = draw(7)
    assert metrics.uar(truth, prediction) == pytest.approx(sklearn_metrics.balanced_accuracy_score(truth, prediction))


@pytest.mark.parametrize("seed", range(3))
def test_calibration_error_agrees_with_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(5, 0.4), 400)
    truth = rng.integers(0, 5, 400)
    expected = calibration_error(
        torch.tensor(shares), torch.tensor(truth), task="multiclass", num_classes=5, n_bins=15, norm="l1"
    )
    assert reported_metrics.calibration_error(truth, shares) == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_ccc_and_pearson_agree_with_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 0.9, 500)
    prediction = 0.5 * truth + rng.normal(1, 0.4, 500)
    t, p = torch.tensor(truth), torch.tensor(prediction)
    assert reported_metrics.pearson(truth, prediction) == pytest.approx(pearson_corrcoef(p, t).item())
    # torchmetrics divides its moments by R - 1, Lin's definition by R: the same once the means are equal ...
    shifted = prediction - prediction.mean() + truth.mean()
    assert metrics.ccc(truth, shifted) == pytest.approx(concordance_corrcoef(torch.tensor(shifted), t).item())
    # ... and in the limit of many rows: 200 copies of each.
    many = concordance_corrcoef(p.repeat(200), t.repeat(200)).item()
    assert metrics.ccc(truth, prediction) == pytest.approx(many, abs=1e-5)


def test_ccc_is_symmetric_and_punishes_shift_and_scale():
    truth, prediction = np.random.default_rng(0).normal(size=(2, 50)) + np.linspace(0, 5, 50)
    assert metrics.ccc(truth, prediction) == pytest.approx(metrics.ccc(prediction, truth))
    assert metrics.ccc(truth, truth) == pytest.approx(1)
    assert metrics.ccc(truth, truth + 1) < 1 and reported_metrics.pearson(truth, truth + 1) == pytest.approx(1)
    assert metrics.ccc(truth, 2 * truth) < reported_metrics.pearson(truth, 2 * truth)


def test_undefined_is_nan():
    empty = np.zeros(0, np.int64)
    for score in (metrics.accuracy, metrics.uar, metrics.macro_f1, reported_metrics.weighted_f1):
        assert math.isnan(score(empty, empty))
    for score in (metrics.ccc, reported_metrics.pearson, reported_metrics.rmse):
        assert math.isnan(score([], []))
    assert math.isnan(reported_metrics.calibration_error(empty, np.zeros((0, 4))))
    assert metrics.ccc([1, 2, 3], [2.1, 2.1, 2.1]) == pytest.approx(0)  # defined: the worst kind of useless
    assert math.isnan(metrics.ccc([2.1, 2.1, 2.1], [2.1, 2.1, 2.1]))
    assert math.isnan(reported_metrics.pearson([1, 2, 3], [0.1, 0.1, 0.1]))


@pytest.mark.parametrize(
    "score",
    [
        metrics.accuracy,
        metrics.uar,
        metrics.macro_f1,
        reported_metrics.weighted_f1,
        metrics.confusion,
        metrics.ccc,
        reported_metrics.pearson,
        reported_metrics.rmse,
    ],
)
def test_other_lengths_are_refused(score):
    with pytest.raises(ValueError, match="truth has 3 rows, prediction 2"):
        score([0, 1, 1], [0, 1])


@pytest.mark.parametrize("wrong", [[0, 8], [-1, 0], [0.0, 1.0]])
def test_other_values_than_class_indices_are_refused(wrong):
    with pytest.raises(ValueError, match=r"class indices 0\.\.7"):
        metrics.confusion([0, 1], wrong, 8)
