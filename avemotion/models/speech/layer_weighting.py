"""Learned weights over the hidden layers of a speech encoder (Yang et al. 2021, SUPERB, arXiv:2105.01051).

Shape letters: B utterances, T frames (one per 20 ms), L hidden layers, D their size.
"""

import torch
from torch import Tensor, nn


class LayerWeighting(nn.Module):
    """Softmax-weighted sum of hidden layers; the initial weights are equal."""

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
