"""Interaction `bidirectional`: prosody and speech attend to each other."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import CrossAttention
from avemotion.models.encoders.poolings import POOLINGS
from avemotion.models.va.interaction import Interaction
from avemotion.models.va.interactions import prosody_attention

NAME = "bidirectional"
NEEDS = ("speech", "prosody")


@dataclass(frozen=True, kw_only=True)
class Options:
    """dim: Z. heads, dropout: of both attentions. pooling: of the speech steps afterwards."""

    dim: int
    heads: int
    dropout: float
    pooling: str


class BidirectionalAttention(Interaction):
    """Prosody attends to speech, and every speech step to prosody; a layer joins the pooled steps and the former.

    A turn has one prosody vector. The speech steps get a learned second key: with a single key every attention weight
    would be 1, so no step could ignore prosody.
    """

    def __init__(self, speech_dim: int, prosody_dim: int | None, options: Options):
        super().__init__()
        assert prosody_dim is not None, "bidirectional attention needs prosody"
        dim, heads, dropout = options.dim, options.heads, options.dropout
        attention = prosody_attention.Options(dim=dim, heads=heads, dropout=dropout)
        self.to_speech = prosody_attention.ProsodyAttention(speech_dim, prosody_dim, attention)
        self.queries, self.key = nn.Linear(speech_dim, dim), nn.Linear(prosody_dim, dim)
        self.none = nn.Parameter(torch.zeros(dim))
        self.to_prosody = CrossAttention(dim, heads, dropout)
        self.pool = POOLINGS[options.pooling](dim, heads)
        self.join = nn.Linear(dim + self.pool.out_dim, dim)
        self.out_dim = dim

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """speech [B, T, D], mask [B, T], prosody [B, P] -> [B, Z], attention [B, T], pooling weights [B, T]."""
        assert prosody is not None
        attended, attention, _ = self.to_speech(speech, mask, prosody)
        keys = torch.stack([self.key(prosody), self.none.expand(len(prosody), -1)], 1)
        key_mask = torch.ones(keys.shape[:2], dtype=torch.bool, device=keys.device)
        steps, _ = self.to_prosody(self.queries(speech), keys, key_mask)
        pooled, weights = self.pool(steps, mask)
        return self.join(torch.cat([attended, pooled], -1)), attention, weights


INTERACTION = BidirectionalAttention
