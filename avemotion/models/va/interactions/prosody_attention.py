"""Interaction `cross_attention`: prosody attends to the speech sequence."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import CrossAttention
from avemotion.models.va.interaction import Interaction

NAME = "cross_attention"


@dataclass(frozen=True, kw_only=True)
class Options:
    """dim: Z. heads, dropout: of the attention."""

    dim: int
    heads: int
    dropout: float


class ProsodyAttention(Interaction):
    """Prosody, or without it a learned query, attends to the speech sequence and so pools it."""

    def __init__(self, speech_dim: int, prosody_dim: int | None, options: Options):
        super().__init__()
        dim = options.dim
        self.keys = nn.Linear(speech_dim, dim)
        self.query = None if prosody_dim is None else nn.Linear(prosody_dim, dim)
        self.learned_query = nn.Parameter(torch.zeros(dim)) if prosody_dim is None else None
        self.attend = CrossAttention(dim, options.heads, options.dropout)
        self.out = nn.Linear(dim, dim)
        self.out_dim = dim

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor | None) -> tuple[Tensor, Tensor, None]:
        """speech [B, T, D], mask [B, T], prosody [B, P] -> [B, Z], weights [B, T] (mean over heads)."""
        if self.query is not None:
            query = self.query(prosody)
        else:
            assert self.learned_query is not None
            query = self.learned_query.expand(len(speech), -1)
        attended, weights = self.attend(query.unsqueeze(1), self.keys(speech), mask)
        return self.out(attended.squeeze(1)), weights.mean(1).squeeze(1), None


INTERACTION = ProsodyAttention
