"""Parts of the VA model that transform the speech sequence: masks, time scales, speaker modulation.

Shape letters: blocks.py; here B turns, T speech steps, D speech features, S speaker dimensions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d


class SpecMask(nn.Module):
    """SpecAugment (Park et al. 2019) on hidden states: training sets a time span and a band of features to 0.

    time, features: largest masked share of a turn's steps and of the features; the share is drawn from 0 to that value.
    """

    def __init__(self, time: float, features: float):
        super().__init__()
        self.time, self.features = time, features

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, D], mask [B, T] -> [B, T, D]."""
        if not self.training or not (self.time or self.features):
            return x
        steps = _random_span(mask.sum(1).to(x.dtype), self.time, x.shape[1])
        band = _random_span(x.new_full((len(x),), x.shape[2]), self.features, x.shape[2])
        return x.masked_fill(steps.unsqueeze(2) | band.unsqueeze(1), 0.0)


def _random_span(lengths: Tensor, share: float, size: int) -> Tensor:
    """lengths [B] -> [B, size], True on a random span within each length, of at most `share` of it."""
    width, start = torch.rand(2, len(lengths), device=lengths.device)
    width = width * share * lengths
    start = start * (lengths - width)
    centres = torch.arange(size, device=lengths.device) + 0.5
    return (centres >= start.unsqueeze(1)) & (centres < (start + width).unsqueeze(1))


class MultiScale(nn.Module):
    """Speech at several time scales: concatenates the moving means over windows of the given lengths."""

    def __init__(self, scales: Sequence[int]):
        super().__init__()
        self.scales = list(scales)  # window lengths, odd numbers of steps

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, D], mask [B, T] -> [B, T, D * scales]; the means exclude padding."""
        if self.scales == [1]:
            return x
        real = mask.unsqueeze(1).to(x.dtype)  # [B, 1, T]
        rows = x.masked_fill(~mask.unsqueeze(-1), 0.0).transpose(1, 2)
        means = []
        for scale in self.scales:
            share = avg_pool1d(real, scale, stride=1, padding=scale // 2).clamp(min=1e-6)  # real share of each window
            means.append(avg_pool1d(rows, scale, stride=1, padding=scale // 2) / share)
        return torch.cat(means, 1).transpose(1, 2)


class FiLM(nn.Module):
    """Feature-wise modulation by the speaker (Perez et al. 2018): gamma * x + beta, gamma = 1 + tanh(.)."""

    def __init__(self, speaker_dim: int, dim: int, hidden: int = 256):
        super().__init__()
        last = nn.Linear(hidden, 2 * dim)
        # With zero weights the initial modulation is the identity for every speaker.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(nn.Linear(speaker_dim, hidden), nn.ReLU(), last)

    def forward(self, x: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, ..., D], speaker [B, S] -> [B, ..., D], norms [B, 2] of gamma and beta."""
        gamma, beta = self.network(speaker).chunk(2, -1)
        gamma = 1 + gamma.tanh()
        norms = torch.stack([gamma.norm(dim=-1), beta.norm(dim=-1)], -1)
        shape = (len(x), *[1] * (x.dim() - 2), x.shape[-1])
        return gamma.view(shape) * x + beta.view(shape), norms
