"""Interaction `concat`: pooled speech; the heads concatenate it with prosody."""

from dataclasses import dataclass

from torch import Tensor

from avemotion.models.encoders.poolings import POOLINGS
from avemotion.models.va.interaction import Interaction

NAME = "concat"


@dataclass(frozen=True, kw_only=True)
class Options:
    """pooling: a key of POOLINGS. heads: of pooling multihead."""

    pooling: str
    heads: int


class PooledSpeech(Interaction):
    """Pools speech over time and does not use prosody."""

    projects_prosody = False

    def __init__(self, speech_dim: int, prosody_dim: int | None, options: Options):
        super().__init__()
        self.pool = POOLINGS[options.pooling](speech_dim, options.heads)
        self.out_dim = self.pool.out_dim

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor | None) -> tuple[Tensor, None, Tensor | None]:
        """speech [B, T, D], mask [B, T] -> [B, Z], no attention, pooling weights [B, T]."""
        pooled, weights = self.pool(speech, mask)
        return pooled, None, weights


INTERACTION = PooledSpeech
