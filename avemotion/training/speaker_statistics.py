"""Standardisation of features by speaker: each speaker's own mean and deviation, without any label.

It uses a test speaker's other clips. Scores of such models hold for a speaker of whom several recordings are at hand
(Busso et al., IEEE Transactions on Affective Computing 4(4), 2013, normalise by the neutral speech of each speaker).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def standardized(rows: Floats, speakers: Sequence[str]) -> Floats:
    """Each row minus its speaker's mean, over its speaker's standard deviation, by feature.

    A feature that does not vary within a speaker becomes 0. Rows with NaN are not counted and stay NaN.

    Args:
        rows: [R, F]. speakers: [R].
    """
    names, index = np.unique(np.asarray(speakers, str), return_inverse=True)
    result = np.array(rows, np.float64)
    for speaker in range(len(names)):
        own = index == speaker
        counted = result[own & ~np.isnan(result).any(axis=1)]
        if len(counted):
            result[own] = (result[own] - counted.mean(0)) / deviation(counted)
    return result


def deviation(rows: Floats) -> Floats:
    """Standard deviation (n) of each feature [F]; 1 where it is the rounding of a constant."""
    spread, size = rows.std(0), np.abs(rows).max(0)
    return np.where(spread > 1e-7 * size, spread, 1.0)
