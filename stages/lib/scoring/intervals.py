"""Bootstrap confidence intervals of scores, with whole clusters resampled.

Rows of one speaker or one dialogue resemble each other, so drawing single rows would promise too much
(Davison and Hinkley 1997, section 3.8). With few clusters even this interval is too narrow; the
metrics therefore state how many there were.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Score = Callable[[NDArray, NDArray], float]


class Interval(NamedTuple):
    """Bounds of a confidence interval; NaN where it is undefined."""

    low: float
    high: float


def bootstrap(
    scores: Mapping[str, Score],
    truth: ArrayLike,
    prediction: ArrayLike,
    clusters: ArrayLike,
    *,
    draws: int,
    seed: int,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals of scores, all from the same draws.

    A draw takes as many clusters as there are, with replacement, and all rows of each. Draws in which
    a score is undefined do not count for it.

    Args:
        scores: name -> f(truth, prediction).
        truth, prediction: [R, ...]; rows are resampled together.
        clusters: [R], such as speakers or dialogues.

    Returns:
        name -> interval; (NaN, NaN) for fewer than two clusters, or where fewer than half of the draws
        have a score.

    Raises:
        ValueError: lengths differ.
    """
    truth, prediction, clusters = np.asarray(truth), np.asarray(prediction), np.asarray(clusters)
    if not len(truth) == len(prediction) == len(clusters):
        lengths = f"{len(truth)}, {len(prediction)} and {len(clusters)}"
        raise ValueError(f"truth, prediction and clusters have {lengths} rows; give one of each a row")
    names, which = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        return dict.fromkeys(scores, Interval(float("nan"), float("nan")))
    rows = np.argsort(which, kind="stable")
    members = np.split(rows, np.cumsum(np.bincount(which))[:-1])
    # One row a cluster: joining thousands of arrays of one element would take most of the time.
    single = rows if len(names) == len(rows) else None
    rng = np.random.default_rng(seed)
    values = np.empty((draws, len(scores)))
    for draw in values:
        drawn = rng.integers(0, len(names), len(names))
        taken = single[drawn] if single is not None else np.concatenate([members[i] for i in drawn])
        t, p = truth[taken], prediction[taken]
        draw[:] = [score(t, p) for score in scores.values()]
    return {name: _percentiles(column, level) for name, column in zip(scores, values.T, strict=True)}


def _percentiles(values: NDArray[np.float64], level: float) -> Interval:
    known = values[~np.isnan(values)]
    if 2 * len(known) < len(values):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high))
