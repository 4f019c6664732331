"""Scores from sums over clusters: they allow thousands of bootstrap draws at once.

Every score here is a function of sums over rows (counts of a confusion matrix, moments), so a draw of whole clusters
needs only the sums of the clusters. The values equal those of metrics.py and reported_metrics.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
ROUNDING = 1e-12  # a variance below this share of the second moment is the rounding of a constant


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums of one model's predictions of the test rows, per cluster."""

    values: Floats  # [G, K], G clusters in the order of their names
    scores: Callable[[Floats], dict[str, Floats]]  # sums [..., K] -> score name -> [...], NaN where undefined

    def estimate(self) -> dict[str, float]:
        """The scores over all rows."""
        return {name: float(value) for name, value in self.scores(self.values.sum(0)).items()}


def classified(truth: ArrayLike, prediction: ArrayLike, clusters: ArrayLike, classes: int) -> Sums:
    """Sums for accuracy, UAR and macro-F1.

    Args:
        truth, prediction: class indices [R] within 0..classes-1.
        clusters: [R], such as speakers.

    Raises:
        ValueError: lengths differ.
    """
    truth, prediction, index = _rows(truth, prediction, clusters)
    cells = (index * classes + truth) * classes + prediction
    counts = np.bincount(cells, minlength=(index.max(initial=0) + 1) * classes**2)
    values = counts.reshape(-1, classes**2).astype(float)
    return Sums(values=values, scores=partial(_classification, classes=classes))


def agreement(truth: ArrayLike, prediction: ArrayLike, clusters: ArrayLike) -> Sums:
    """Sums for CCC, Pearson's correlation and RMSE.

    Args:
        truth, prediction: [R], finite.
        clusters: [R], such as dialogues.

    Raises:
        ValueError: lengths differ.
    """
    truth, prediction, index = _rows(truth, prediction, clusters)
    # Central moments: raw moments lose digits if the means are far from 0.
    offset = truth.mean() - prediction.mean()
    t, p = truth - truth.mean(), prediction - prediction.mean()
    terms = np.stack([np.ones_like(t), t, p, t * t, p * p, t * p], axis=1)
    values = np.zeros((index.max(initial=0) + 1, terms.shape[1]))
    np.add.at(values, index, terms)
    return Sums(values=values, scores=partial(_agreement, offset=float(offset)))


def _rows(truth: ArrayLike, prediction: ArrayLike, clusters: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """truth and prediction as arrays, clusters as indices from 0."""
    truth, prediction, clusters = np.asarray(truth), np.asarray(prediction), np.asarray(clusters)
    if not len(truth) == len(prediction) == len(clusters):
        lengths = f"{len(truth)}, {len(prediction)} and {len(clusters)}"
        raise ValueError(f"truth, prediction and clusters have {lengths} rows; give one of each a row")
    return truth, prediction, np.unique(clusters, return_inverse=True)[1]


def _classification(sums: Floats, classes: int) -> dict[str, Floats]:
    counts = sums.reshape(*sums.shape[:-1], classes, classes)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    true, predicted = counts.sum(-1), counts.sum(-2)
    return {
        "accuracy": _ratio(right.sum(-1), true.sum(-1)),
        "uar": _mean_ratio(right, true),  # over the classes in truth
        "macro_f1": _mean_ratio(2 * right, true + predicted),  # over the classes in truth or prediction
    }


def _agreement(sums: Floats, offset: float) -> dict[str, Floats]:
    rows, *totals = np.moveaxis(sums, -1, 0)
    t, p, tt, pp, tp = (_ratio(total, rows) for total in totals)
    var_t, var_p, covariance = _variance(tt, t), _variance(pp, p), tp - t * p
    gap = t - p + offset
    gap = np.where((var_t == 0) & (var_p == 0) & (np.abs(gap) < 1e-9), 0.0, gap)  # two equal constants: NaN, not 0
    return {
        "ccc": _ratio(2 * covariance, var_t + var_p + gap**2),
        "pearson": _ratio(covariance, np.sqrt(var_t * var_p)),
        "rmse": np.sqrt(np.maximum(tt + pp - 2 * tp + offset * (offset + 2 * (t - p)), 0)),
    }


def _variance(square: Floats, mean: Floats) -> Floats:
    variance = square - mean**2
    return np.where(variance <= ROUNDING * square, 0.0, variance)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole; NaN where whole is 0 (or NaN)."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _mean_ratio(part: Floats, whole: Floats) -> Floats:
    """Mean over the last axis of part / whole where whole is above 0."""
    defined = whole > 0
    ratios = np.divide(part, whole, out=np.zeros(whole.shape), where=defined)
    return _ratio(ratios.sum(-1), defined.sum(-1))
