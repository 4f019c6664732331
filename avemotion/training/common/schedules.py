"""Learning rates over the epochs of a phase, and the weights that decay."""

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

MIN_LR = 1e-5  # final learning rate of cosine annealing
START = 1 / 25  # first rate of a warm-up, relative to the highest; as in torch's OneCycleLR


def schedule(optimizer: Optimizer, epochs: int, warmup: float, cosine: bool) -> LambdaLR:
    """Sets the rate of each group for every epoch of a phase, starting with the first.

    Over the first ceil(warmup * epochs) epochs a rate rises to its value along half a cosine. It then stays there, or
    falls to MIN_LR along half a cosine; a rate at or below MIN_LR does not fall. Both together are the one-cycle policy
    (Smith 2018, arXiv:1803.09820) without its change of momentum.
    """
    rising = math.ceil(warmup * epochs)

    def factor(group: dict[str, Any]) -> Callable[[int], float]:
        floor = MIN_LR / group["lr"] if group["lr"] > MIN_LR else 1.0

        def at(epoch: int) -> float:
            if epoch < rising:
                return _between(START, 1.0, epoch / rising)
            return _between(1.0, floor, (epoch - rising) / max(epochs - rising, 1)) if cosine else 1.0

        return at

    return LambdaLR(optimizer, [factor(group) for group in optimizer.param_groups])


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from start (share 0) to end (share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def sparing(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Optimizer groups without weight decay of biases and of the weights of normalisation: those of one dimension."""
    split = []
    for group in groups:
        matrices = [p for p in group["params"] if p.dim() > 1]
        vectors = [p for p in group["params"] if p.dim() <= 1]
        split += [group | {"params": matrices}, group | {"params": vectors, "weight_decay": 0.0}]
    return [group for group in split if group["params"]]
