"""Scores from sums over clusters, so that thousands of bootstrap draws are scored at once.

Every score here is a function of sums over rows (counts of a confusion matrix, moments): a draw of whole clusters
needs their sums alone. The values are those of metrics.py and reported.py.
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
    """One model's predictions of the test rows, added up per cluster."""

    values: Floats  # [G, K], G clusters in the order of their names
    scores: Callable[[Floats], dict[str, Floats]]  # sums [..., K] -> score name -> [...], NaN where undefined

    def estimate(self) -> dict[str, float]:
        """The scores over all rows."""
        return {name: float(value) for name, value in self.scores(self.values.sum(0)).items()}


def classified(truth: ArrayLike, prediction: ArrayLike, clusters: ArrayLike, classes: int) -> Sums:
    """Sums behind accuracy, UAR and macro-F1.

    Args:
        truth, prediction: class indices [R] within 0..classes-1.
        clusters: [R], such as speakers.

    Raises:
        ValueError: lengths differ.
    """
    truth, prediction, which = _rows(truth, prediction, clusters)
    cells = (which * classes + truth) * classes + prediction
    counts = np.bincount(cells, minlength=(which.max(initial=0) + 1) * classes**2)
    values = counts.reshape(-1, classes**2).astype(float)
    return Sums(values=values, scores=partial(_classification, classes=classes))


def agreement(truth: ArrayLike, prediction: ArrayLike, clusters: ArrayLike) -> Sums:
    """Sums behind CCC, Pearson's correlation and RMSE.

    Args:
        truth, prediction: [R], finite.
        clusters: [R], such as dialogues.

    Raises:
        ValueError: lengths differ.
    """
    truth, prediction, which = _rows(truth, prediction, clusters)
    # Moments about the means: raw ones would lose digits where these are far from 0.
    offset = truth.mean() - prediction.mean()
    t, p = truth - truth.mean(), prediction - prediction.mean()
    terms = np.stack([np.ones_like(t), t, p, t * t, p * p, t * p], axis=1)
    values = np.zeros((which.max(initial=0) + 1, terms.shape[1]))
    np.add.at(values, which, terms)
    return Sums(values=values, scores=partial(_agreement, offset=float(offset)))


def _rows(truth: ArrayLike, prediction: ArrayLike, clusters: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """truth and prediction as arrays, clusters as indices."""
    truth, prediction, clusters = np.asarray(truth), np.asarray(prediction), np.asarray(clusters)
    if not len(truth) == len(prediction) == len(clusters):
        lengths = f"{len(truth)}, {len(prediction)} and {len(clusters)}"
        raise ValueError(f"truth, prediction and clusters have {lengths} rows; give one of each a row")
    return truth, prediction, np.unique(clusters, return_inverse=True)[1]


def _classification(sums: Floats, classes: int) -> dict[str, Floats]:
    counts = sums.reshape(*sums.shape[:-1], classes, classes)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    true, answered = counts.sum(-1), counts.sum(-2)
    return {
        "accuracy": _ratio(right.sum(-1), true.sum(-1)),
        "uar": _mean_ratio(right, true),  # over the classes in truth
        "macro_f1": _mean_ratio(2 * right, true + answered),  # over the classes in truth or prediction
    }


def _agreement(sums: Floats, offset: float) -> dict[str, Floats]:
    rows, *totals = np.moveaxis(sums, -1, 0)
    t, p, tt, pp, tp = (_ratio(total, rows) for total in totals)
    var_t, var_p, covariance = _variance(tt, t), _variance(pp, p), tp - t * p
    gap = t - p + offset
    gap = np.where((var_t == 0) & (var_p == 0) & (np.abs(gap) < 1e-9), 0.0, gap)  # the same constant: NaN, not 0
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
    there = whole > 0
    ratios = np.divide(part, whole, out=np.zeros(whole.shape), where=there)
    return _ratio(ratios.sum(-1), there.sum(-1))
