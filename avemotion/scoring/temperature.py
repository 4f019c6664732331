"""Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).

One number T per model, fitted on validation clips: probabilities are softmax(logits / T). It changes no prediction,
only its confidence. Probabilities are enough, because logits and log-probabilities differ by a constant a row.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from avemotion.scoring.shares import Floats, log_shares

LOWEST, HIGHEST = 0.2, 10.0  # without an error on the validation clips, the best T would be 0
DECIMALS = 4


def fit(shares: ArrayLike, truth: ArrayLike) -> float:
    """The temperature with the smallest negative log-likelihood, within LOWEST and HIGHEST.

    Args:
        shares: probabilities [R, C] of the validation clips at T = 1. truth: class indices [R].
    """
    best = minimize_scalar(
        lambda log_t: nll(shares, truth, np.exp(log_t)), bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded"
    )
    return round(float(np.clip(np.exp(best.x), LOWEST, HIGHEST)), DECIMALS)


def nll(shares: ArrayLike, truth: ArrayLike, temperature: float) -> float:
    """Mean negative log-likelihood of the true classes at a temperature; NaN without rows."""
    truth = np.asarray(truth, int)
    if not len(truth):
        return float("nan")
    return float(-log_softmax(log_shares(shares) / temperature, axis=1)[np.arange(len(truth)), truth].mean())


def scaled(shares: ArrayLike, temperatures: ArrayLike) -> Floats:
    """Probabilities [R, C] at a temperature, one number or one a row [R]."""
    return softmax(log_shares(shares) / np.reshape(np.asarray(temperatures, float), (-1, 1)), axis=1)
