"""Probabilities of classes as logits, and the other way round."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
LEAST = 5e-7  # a share that predictions.csv, with its six decimals, writes as 0


def log_shares(shares: ArrayLike) -> Floats:
    """Logarithms of probabilities [R, C], of at least LEAST: logits up to one constant a row."""
    return np.log(np.maximum(np.asarray(shares, np.float64), LEAST))
