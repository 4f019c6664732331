"""Parts of the V/A model that keep the speech sequence a sequence: layers, masks, time scales, speaker.

Shape letters: blocks.py; here B turns, T speech steps, L hidden layers, D speech features, S speaker dimensions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d


class LayerWeighting(nn.Module):
    """Softmax-weighted sum of hidden layers, equal weights at first."""

    def __init__(self, layers: int):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))

    @property
    def weights(self) -> Tensor:
        """[L], sum 1."""
        return self.scores.softmax(0)

    def forward(self, layers: Tensor) -> Tensor:
        """layers [B, T, L, D] -> [B, T, D]."""
        return torch.einsum("btld,l->btd", layers, self.weights)


class SpecMask(nn.Module):
    """SpecAugment (Park et al. 2019) on hidden states: in training, a stretch of time and a band of features become 0.

    time, features: largest share of a turn's steps and of the features that is hidden; the width is drawn from 0 up.
    """

    def __init__(self, time: float, features: float):
        super().__init__()
        self.time, self.features = time, features

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, D], mask [B, T] -> [B, T, D]."""
        if not self.training or not (self.time or self.features):
            return x
        steps = _stretch(mask.sum(1).to(x.dtype), self.time, x.shape[1])
        band = _stretch(x.new_full((len(x),), x.shape[2]), self.features, x.shape[2])
        return x.masked_fill(steps.unsqueeze(2) | band.unsqueeze(1), 0.0)


def _stretch(lengths: Tensor, share: float, size: int) -> Tensor:
    """lengths [B] -> [B, size], True on a random stretch of up to `share` of each length, within it."""
    width, start = torch.rand(2, len(lengths), device=lengths.device)
    width = width * share * lengths
    start = start * (lengths - width)
    at = torch.arange(size, device=lengths.device) + 0.5
    return (at >= start.unsqueeze(1)) & (at < (start + width).unsqueeze(1))


class MultiScale(nn.Module):
    """Speech at several time scales side by side: each step, and its mean with the steps around it."""

    def __init__(self, scales: Sequence[int]):
        super().__init__()
        self.scales = list(scales)  # odd numbers of steps

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, D], mask [B, T] -> [B, T, D * scales]; padding counts in no mean."""
        if self.scales == [1]:
            return x
        real = mask.unsqueeze(1).to(x.dtype)  # [B, 1, T]
        rows = x.masked_fill(~mask.unsqueeze(-1), 0.0).transpose(1, 2)
        means = []
        for scale in self.scales:
            window = {"kernel_size": scale, "stride": 1, "padding": scale // 2}
            share = avg_pool1d(real, **window).clamp(min=1e-6)  # how much of each window is real
            means.append(avg_pool1d(rows, **window) / share)
        return torch.cat(means, 1).transpose(1, 2)


class FiLM(nn.Module):
    """Feature-wise modulation by the speaker (Perez et al. 2018): gamma * x + beta, gamma = 1 + tanh(.)."""

    def __init__(self, speaker_dim: int, dim: int, hidden: int = 256):
        super().__init__()
        last = nn.Linear(hidden, 2 * dim)
        # Zero start: the modulation begins as the identity and speakers diverge only as the data ask for it.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(nn.Linear(speaker_dim, hidden), nn.ReLU(), last)

    def forward(self, x: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, ..., D], speaker [B, S] -> [B, ..., D], every step at once; norms [B, 2] of gamma and beta."""
        gamma, beta = self.network(speaker).chunk(2, -1)
        gamma = 1 + gamma.tanh()
        norms = torch.stack([gamma.norm(dim=-1), beta.norm(dim=-1)], -1)
        shape = (len(x), *[1] * (x.dim() - 2), x.shape[-1])
        return gamma.view(shape) * x + beta.view(shape), norms
