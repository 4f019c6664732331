"""Scores for model selection: pure functions of truth and prediction.

reported_metrics.py has the scores that select no model, so that a new one there re-runs no training. An undefined score
(no rows, equal constants) is NaN; the metrics files show it as missing.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def confusion(truth: ArrayLike, prediction: ArrayLike, classes: int | None = None) -> NDArray[np.int64]:
    """Counts [C, C]: row = true class, column = predicted class.

    Args:
        truth, prediction: class indices [R].
        classes: C; by default the largest index plus 1.

    Raises:
        ValueError: lengths differ, or an index is not within 0..C-1.
    """
    truth, prediction = aligned(truth, prediction)
    if classes is None:
        classes = 1 + int(max(truth.max(), prediction.max())) if len(truth) else 1
    for name, values in (("truth", truth), ("prediction", prediction)):
        if len(values) and (values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= classes):
            raise ValueError(f"{name} holds other values than the class indices 0..{classes - 1}")
    cells = truth.astype(np.int64) * classes + prediction.astype(np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def accuracy(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Share of rows with prediction = truth."""
    counts = confusion(truth, prediction)
    return float(np.trace(counts) / counts.sum()) if counts.any() else float("nan")


def recalls(truth: ArrayLike, prediction: ArrayLike, classes: int | None = None) -> Floats:
    """Recall = TP / (TP + FN) of each class [C]; NaN for a class without rows in truth."""
    counts = confusion(truth, prediction, classes)
    return _ratios(np.diag(counts), counts.sum(1))


def uar(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Unweighted average recall: the mean of `recalls` over the classes in truth (Schuller et al. 2009)."""
    return _mean(recalls(truth, prediction))


def f1s(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """F1 = 2 TP / (2 TP + FP + FN) of each class [C]; NaN for a class in neither truth nor prediction."""
    counts = confusion(truth, prediction)
    return _ratios(2 * np.diag(counts), counts.sum(0) + counts.sum(1))


def macro_f1(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean of `f1s` over the classes that occur in truth or prediction."""
    return _mean(f1s(truth, prediction))


def ccc(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Concordance correlation coefficient (Lin 1989), moments over R as in its definition:

        2 cov(t, p) / (var(t) + var(p) + (mean(t) - mean(p))^2)

    0 for a constant prediction of varying truth; NaN if both are the same constant.
    """
    t, p = (values.astype(np.float64) for values in aligned(truth, prediction))
    if not len(t) or ((t == t[0]) & (p == t[0])).all():
        return float("nan")
    covariance = np.mean((t - t.mean()) * (p - p.mean()))
    return float(2 * covariance / (t.var() + p.var() + (t.mean() - p.mean()) ** 2))


def aligned(truth: ArrayLike, prediction: ArrayLike) -> tuple[NDArray, NDArray]:
    """Both as arrays.

    Raises:
        ValueError: lengths differ.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if len(truth) != len(prediction):
        raise ValueError(f"truth has {len(truth)} rows, prediction {len(prediction)}; give one prediction a row")
    return truth, prediction


def _ratios(part: NDArray, whole: NDArray) -> Floats:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
