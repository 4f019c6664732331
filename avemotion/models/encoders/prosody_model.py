"""The model of prosody: functionals of a clip, their embedding, and a classifier over it.

Shape letters: blocks.py; here P functionals, E width of the embedding.
"""

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import Standardize


class ProsodyModel(nn.Module):
    """Standardised functionals -> Linear, LayerNorm, ReLU, Dropout -> embedding -> classes."""

    def __init__(self, functionals: int, classes: int, dim: int = 64, dropout: float = 0.2):
        super().__init__()
        self.dim = dim
        self.standardize = Standardize(functionals)
        self.embed = nn.Sequential(nn.Linear(functionals, dim), nn.LayerNorm(dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(dim, classes)

    def encode(self, prosody: Tensor, present: Tensor) -> Tensor:
        """prosody [B, P], present [B] -> embedding [B, E]; that of the training clips' mean where it is not present."""
        scores = torch.where(present[:, None], self.standardize(prosody), 0.0)
        # Some functionals (normalised deviations) have outliers of 15 standard deviations.
        return self.embed(scores.clamp(-5.0, 5.0))
