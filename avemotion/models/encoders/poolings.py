"""Poolings of a sequence over time: of the speech of a turn, or of the frames of a clip.

Shape letters: blocks.py; here T steps of either.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import masked_mean


class Pooling(nn.Module, ABC):
    """Maps a sequence to one vector."""

    out_dim: int

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor | None]:
        """x [B, T, D], mask [B, T] -> [B, out_dim], weights [B, T] or None."""


class MeanPooling(Pooling):
    """Mean over time."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.out_dim = dim

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, None]:
        """x [B, T, D], mask [B, T] -> [B, D], no weights."""
        return masked_mean(x, mask), None


class StatisticsPooling(Pooling):
    """Mean and standard deviation over time (Snyder et al. 2017)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.out_dim = 2 * dim

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, None]:
        """x [B, T, D], mask [B, T] -> [B, 2 D], no weights."""
        mean = masked_mean(x, mask)
        variance = masked_mean((x - mean.unsqueeze(1)).square(), mask)
        return torch.cat([mean, (variance + 1e-6).sqrt()], -1), None  # the root has no gradient at 0


class AttentionPooling(Pooling):
    """softmax(Linear(D -> heads)) over time; each head weighs its own share of the features."""

    def __init__(self, dim: int, heads: int = 1):
        super().__init__()
        self.score, self.heads, self.out_dim = nn.Linear(dim, heads), heads, dim

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D], mask [B, T] -> [B, D], weights [B, T] (mean over heads); both 0 without any real step."""
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)  # padding may contain NaN, and 0 * NaN is NaN
        real = mask | ~mask.any(1, keepdim=True)  # with every step left out the softmax would be 0/0
        weights = self.score(x).masked_fill(~real.unsqueeze(-1), -torch.inf).softmax(1)
        pooled = torch.einsum("bth,bthd->bhd", weights, x.unflatten(-1, (self.heads, -1))).flatten(1)
        return pooled, weights.mean(-1).masked_fill(~mask, 0.0)


POOLINGS: dict[str, Callable[[int, int], Pooling]] = {
    "mean": MeanPooling,
    "attention": lambda dim, heads: AttentionPooling(dim),
    "multihead": AttentionPooling,
    "statistics": StatisticsPooling,
}
