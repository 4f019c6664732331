"""Bootstrap over whole clusters: confidence intervals of scores, and p values of differences.

Rows of one speaker or one dialogue are correlated, so a bootstrap over single rows gives too narrow intervals (Davison
and Hinkley 1997, section 3.8). With few clusters this interval is too narrow as well; a report of an interval should
therefore give the number of clusters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from avemotion.scoring.cluster_sums import Sums

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Bounds of a confidence interval; NaN where it is undefined."""

    low: float
    high: float


def bootstrap(sums: Sums, *, draws: int, seed: int, level: float = 0.95) -> dict[str, Interval]:
    """Percentile intervals of all scores of one model, from the same draws."""
    drawn = resample([sums], times_drawn(len(sums.values), draws, seed))
    return {name: bounds(values, level) for name, values in drawn.items()}


def over_rows(sums: Sums, *, draws: int, seed: int, level: float = 0.95) -> dict[str, Interval]:
    """As bootstrap, but over single rows, for rows that belong to no cluster.

    A draw of rows with replacement is a multinomial draw of the cells of the confusion matrix, so its size does not
    depend on the number of rows.

    Args:
        sums: of `cluster_sums.classified`.
    """
    cells = sums.values.sum(0)
    drawn = np.random.default_rng(seed).multinomial(int(cells.sum()), cells / cells.sum(), draws)
    return {name: bounds(values, level) for name, values in sums.scores(drawn.astype(float)).items()}


def times_drawn(clusters: int, draws: int, seed: int) -> Floats:
    """How often each draw contains each cluster [draws, clusters]; a draw is of `clusters` clusters with replacement.

    NaN for fewer than two clusters, because one cluster gives no estimate of the variance between clusters.
    """
    if clusters < 2:
        return np.full((draws, clusters), np.nan)
    taken = np.random.default_rng(seed).integers(0, clusters, (draws, clusters))
    cells = taken + clusters * np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=draws * clusters).reshape(draws, clusters).astype(float)


def resample(models: Sequence[Sums], times: Floats) -> dict[str, Floats]:
    """Every score of every draw [draws], as the mean over models (the seeds of one setting, over the same rows).

    Args:
        times: [draws, G], the result of times_drawn. The same draws for two settings make their difference paired.
    """
    scored = [model.scores(times @ model.values) for model in models]
    return {name: np.mean([scores[name] for scores in scored], axis=0) for name in scored[0]}


def bounds(values: Floats, level: float = 0.95) -> Interval:
    """Percentile interval of the draws [draws] with a defined score; NaN if that is fewer than half of them."""
    defined = _defined(values)
    if not len(defined):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(defined, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high))


def p_value(differences: Floats, clusters: int) -> float:
    """Two-sided p of no difference: twice the share of draws [draws] on the rarer side of 0; 0 counts on both sides.

    p is below 0.05 where the 95 % percentile interval excludes 0 (Efron and Tibshirani 1993, section 15.4). It is never
    below 2^(1 - clusters), the probability that all clusters agree by chance.
    """
    defined = _defined(differences)
    if not len(defined):
        return float("nan")
    # +1: the observed sample counts as a draw, so that p is never 0.
    rarer = min((defined <= 0).sum(), (defined >= 0).sum()) + 1
    return float(min(1.0, max(2 * rarer / (len(defined) + 1), 2.0 ** (1 - clusters))))


def _defined(values: Floats) -> Floats:
    """The values without NaN; none if more than half are NaN."""
    defined = values[~np.isnan(values)]
    return defined if 2 * len(defined) >= len(values) else defined[:0]
