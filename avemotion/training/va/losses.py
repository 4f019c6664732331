"""Training objectives."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def ccc(prediction: Tensor, target: Tensor) -> Tensor:
    """Concordance correlation coefficient (Lin 1989) of each column, differentiable; [R, K], [R, K] -> [K].

    2 cov / (var_p + var_t + (mean_p - mean_t)^2) with population moments, in float64: the difference of two
    nearly equal moments loses most digits in float32. Two equal constants give 0, not NaN.
    """
    prediction, target = prediction.double(), target.double()
    mean_p, mean_t = prediction.mean(0), target.mean(0)
    covariance = ((prediction - mean_p) * (target - mean_t)).mean(0)
    spread = prediction.var(0, correction=0) + target.var(0, correction=0) + (mean_p - mean_t).square()
    return 2 * covariance / spread.clamp(min=1e-12)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the terms of the loss."""

    ccc: Sequence[float]  # of the CCC of each target; 1/2 each for valence and arousal in the usual loss
    mse: float  # of the mean squared errors of all targets


def va_loss(prediction: Tensor, target: Tensor, weights: Weights) -> Tensor:
    """1 - (w_V CCC_V + w_A CCC_A + ...) + mse * (MSE_V + MSE_A + ...) over the rows of a batch.

    prediction, target: [B, K]; a NaN target excludes that value.
    """
    # Without any labelled target the loss is 1, and the term with factor 0 provides a gradient of 0.
    loss = 1 + 0 * prediction.double().sum()
    for k, weight in enumerate(weights.ccc):
        labelled = ~target[:, k].isnan()
        if not labelled.any():
            continue
        p, t = prediction[labelled, k : k + 1], target[labelled, k : k + 1]
        loss = loss - weight * ccc(p, t).squeeze() + weights.mse * (p.double() - t.double()).square().mean()
    return loss


class VALoss:
    """va_loss over the batch and the `memory` batches before it, which get no gradient.

    A CCC over a few turns is a noisy estimate. Earlier predictions reduce the variance of its moments.
    """

    def __init__(self, weights: Weights, memory: int):
        self.weights = weights
        self.earlier: deque[tuple[Tensor, Tensor]] = deque(maxlen=memory)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """prediction, target: [B, K] -> scalar; NaN targets are excluded."""
        rows = [*self.earlier, (prediction, target)]
        predictions, targets = (torch.cat(column) for column in zip(*rows, strict=True))
        self.earlier.append((prediction.detach(), target))
        return va_loss(predictions, targets, self.weights)
