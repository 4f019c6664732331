"""Bootstrap over whole clusters: confidence intervals of scores, and p values of differences.

Rows of one speaker or one dialogue resemble each other, so drawing single rows would promise too much
(Davison and Hinkley 1997, section 3.8). With few clusters even this interval is too narrow; whoever shows one
therefore says how many there were.
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
    """Percentile intervals of every score of one model, all from the same draws."""
    drawn = resample([sums], times_drawn(len(sums.values), draws, seed))
    return {name: bounds(values, level) for name, values in drawn.items()}


def times_drawn(clusters: int, draws: int, seed: int) -> Floats:
    """How often each draw takes each cluster [draws, clusters]: as many as there are, with replacement.

    NaN for fewer than two clusters, which hold no evidence of how clusters differ.
    """
    if clusters < 2:
        return np.full((draws, clusters), np.nan)
    taken = np.random.default_rng(seed).integers(0, clusters, (draws, clusters))
    cells = taken + clusters * np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=draws * clusters).reshape(draws, clusters).astype(float)


def resample(models: Sequence[Sums], times: Floats) -> dict[str, Floats]:
    """Every score of every draw [draws], the mean over the models (the seeds of one setting, over the same rows).

    Args:
        times: [draws, G], what times_drawn returns. The same for two settings makes their difference a paired one.
    """
    scored = [model.scores(times @ model.values) for model in models]
    return {name: np.mean([scores[name] for scores in scored], axis=0) for name in scored[0]}


def bounds(values: Floats, level: float = 0.95) -> Interval:
    """Percentile interval of the draws [draws] that have a score; NaN if fewer than half have one."""
    known = _known(values)
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high))


def p_value(differences: Floats, clusters: int) -> float:
    """Two-sided p of no difference: twice the share of draws [draws] on the rarer side of 0, 0 itself on both.

    It is below 0.05 where the 95 % percentile interval leaves out 0 (Efron and Tibshirani 1993, section 15.4), but
    never below 2^(1 - clusters): all clusters agreeing by chance is as likely as that, so a handful proves nothing.
    """
    known = _known(differences)
    if not len(known):
        return float("nan")
    # +1: the observed sample counts as a draw, so that p is never 0.
    rarer = min((known <= 0).sum(), (known >= 0).sum()) + 1
    return float(min(1.0, max(2 * rarer / (len(known) + 1), 2.0 ** (1 - clusters))))


def _known(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    return known if 2 * len(known) >= len(values) else known[:0]
