"""Loss of categorical models for corpora whose classes differ in size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from avemotion.params.training.optimizer import LossParams

BETA = 0.999  # of effective numbers; Cui et al. 2019 try .9 to .9999


def class_weights(kind: str, targets: Tensor, classes: int) -> Tensor | None:
    """Weight of each class [C] in the loss; None where all are 1.

    inverse: R / (C * n_c), with R clips, C classes that have clips, n_c clips of class c. The mean over clips is 1.
    effective: proportional to (1 - beta) / (1 - beta^n_c), with the sum C (Cui et al. 2019, arXiv:1901.05555): large
    classes differ less than by `inverse`. A class without training clips has weight 0.

    Args:
        targets: class indices of the training clips [R].
    """
    if kind == "none":
        return None
    counts = torch.bincount(targets, minlength=classes).double()
    present = counts > 0
    weights = torch.zeros_like(counts)
    if kind == "inverse":
        weights[present] = counts.sum() / (present.sum() * counts[present])
    else:
        weights[present] = (1 - BETA) / (1 - BETA ** counts[present])
        weights *= present.sum() / weights.sum()
    return weights.float()


class ClassLoss:
    """The loss of a training: `class_loss` with the weights of its training clips.

    Args:
        targets: class indices of the training clips [R].
    """

    def __init__(self, params: LossParams, smoothing: float, targets: Tensor):
        self.params, self.smoothing, self.targets = params, smoothing, targets
        self._weights: Tensor | None = None

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """logits [B, C], class indices [B] or shares of the classes [B, C] -> the loss of the batch."""
        if self._weights is None and self.params.class_weights != "none":  # C is known from the first batch on
            weights = class_weights(self.params.class_weights, self.targets, logits.shape[-1])
            assert weights is not None
            self._weights = weights.to(logits.device)
        return class_loss(logits, targets, self._weights, self.params.focal, self.smoothing)


def class_loss(logits: Tensor, targets: Tensor, weights: Tensor | None, focal: float, smoothing: float) -> Tensor:
    """Cross-entropy with label smoothing, as torch weighs it; focal > 0 multiplies each clip's by (1 - p)^focal.

    p is the probability of the clip's class (Lin et al. 2017, arXiv:1708.02002). Losses are divided by the sum of the
    weights of the batch's clips, as in torch. Of shares, p and the weight of a clip are their means over its classes.

    Args:
        logits: [B, C]. targets: class indices [B], or shares of the classes [B, C]. weights: [C], None = all 1.
    """
    if targets.dim() == 2:
        return _soft_loss(logits, targets, weights, focal, smoothing)
    if not focal:
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)
    losses = F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing, reduction="none")
    p = logits.softmax(-1).gather(-1, targets[:, None]).squeeze(-1)
    total = len(targets) if weights is None else weights[targets].sum()
    return ((1 - p) ** focal * losses).sum() / total


def _soft_loss(logits: Tensor, shares: Tensor, weights: Tensor | None, focal: float, smoothing: float) -> Tensor:
    """class_loss for targets that are distributions [B, C]; the same for those with a single class."""
    weighted = shares if weights is None else shares * weights
    smoothed = (1 - smoothing) * shares + smoothing / shares.shape[-1]
    losses = -((smoothed if weights is None else smoothed * weights) * logits.log_softmax(-1)).sum(-1)
    if focal:
        losses = (1 - (shares * logits.softmax(-1)).sum(-1)) ** focal * losses
    return losses.sum() / weighted.sum()
