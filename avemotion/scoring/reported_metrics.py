"""Scores for reports, not for model selection: pure functions of truth and prediction, NaN where undefined."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from avemotion.scoring.metrics import aligned, confusion, f1s


def weighted_f1(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean of F1 over the classes, weighted by their frequencies in truth."""
    support = confusion(truth, prediction).sum(1)
    return float(np.nansum(f1s(truth, prediction) * support) / support.sum()) if support.any() else float("nan")


def calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017): sum over bins of |accuracy - mean confidence| * rows / all rows.

    Args:
        truth, probabilities, bins: as for reliability.
    """
    table = reliability(truth, probabilities, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs() * table["clips"]
    return float(gaps.sum() / table["clips"].sum()) if len(table) else float("nan")


def reliability(truth: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> pd.DataFrame:
    """Accuracy by confidence: low, high (ends of a bin), confidence (mean), accuracy, clips; no empty bins.

    Args:
        truth: class indices [R].
        probabilities: [R, C]; the largest of a row is the confidence, its class the prediction.
        bins: number of bins of equal width over [0, 1]; only the last one includes its upper end.
    """
    truth, probabilities = aligned(truth, probabilities)
    columns = ["low", "high", "confidence", "accuracy", "clips"]
    if not len(truth):
        return pd.DataFrame(columns=columns)
    edges = np.linspace(0, 1, bins + 1)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    index = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    clips = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(index, values, minlength=bins) / clips for values in (confidence, right.astype(float))]
    table = pd.DataFrame(dict(zip(columns, (edges[:-1], edges[1:], *means, clips), strict=True)))
    return table[clips > 0].reset_index(drop=True)


def pearson(truth: ArrayLike, prediction: ArrayLike) -> float:
    """cov(t, p) / (sd(t) sd(p)); NaN if either is constant."""
    t, p = (values.astype(np.float64) for values in aligned(truth, prediction))
    # The computed variance of equal values need not be exactly 0, so compare the values.
    if not len(t) or (t == t[0]).all() or (p == p[0]).all():
        return float("nan")
    return float(np.mean((t - t.mean()) * (p - p.mean())) / (t.std() * p.std()))


def mse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean squared error, in squared units of truth."""
    t, p = (values.astype(np.float64) for values in aligned(truth, prediction))
    return float(np.mean((t - p) ** 2)) if len(t) else float("nan")


def rmse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Root of the mean squared error, in the units of truth."""
    return math.sqrt(mse(truth, prediction))


# Scores in metrics/detail besides those of metrics.py. A new score needs a function above and a line here.
# (truth, prediction, probabilities [R, C]) -> score of the test clips
CLASSIFICATION: dict[str, Callable[[ArrayLike, ArrayLike, ArrayLike], float]] = {
    "weighted_f1": lambda truth, prediction, probabilities: weighted_f1(truth, prediction),
    "calibration_error": lambda truth, prediction, probabilities: calibration_error(truth, probabilities),
}
# (truth, prediction) -> score of the test turns, for each target
AGREEMENT: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {"pearson": pearson, "mse": mse, "rmse": rmse}
