"""Parts of the V/A model that turn a turn's speech sequence into one vector: poolings, interactions with prosody.

Shape letters: blocks.py; here B turns, T speech steps, D speech features, P prosody embedding, Z the width an
interaction gives.
"""

import torch
from torch import Tensor, nn

from stages.lib.models.blocks import CrossAttention, masked_mean


class MeanPooling(nn.Module):
    """Mean over time."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.out_dim = dim

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, None]:
        """x [B, T, D], mask [B, T] -> [B, D]; there are no weights to show."""
        return masked_mean(x, mask), None


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over time (Snyder et al. 2017)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.out_dim = 2 * dim

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, None]:
        """x [B, T, D], mask [B, T] -> [B, 2 D]."""
        mean = masked_mean(x, mask)
        variance = masked_mean((x - mean.unsqueeze(1)).square(), mask)
        return torch.cat([mean, (variance + 1e-6).sqrt()], -1), None  # at 0 the root has no gradient


class AttentionPooling(nn.Module):
    """softmax(Linear(D -> heads)) over time; with several heads each weighs its own share of the features."""

    def __init__(self, dim: int, heads: int = 1):
        super().__init__()
        self.score, self.heads, self.out_dim = nn.Linear(dim, heads), heads, dim

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D], mask [B, T] -> [B, D], weights [B, T] (mean over heads); both 0 without any real step."""
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)  # padding may hold anything, and 0 * NaN is NaN
        real = mask | ~mask.any(1, keepdim=True)  # leaving every step out would be 0/0 in the softmax
        weights = self.score(x).masked_fill(~real.unsqueeze(-1), -torch.inf).softmax(1)
        pooled = torch.einsum("bth,bthd->bhd", weights, x.unflatten(-1, (self.heads, -1))).flatten(1)
        return pooled, weights.mean(-1).masked_fill(~mask, 0.0)


POOLINGS = {
    "mean": MeanPooling,
    "attention": lambda dim, heads: AttentionPooling(dim),
    "multihead": AttentionPooling,
    "statistics": StatisticsPooling,
}


class PooledSpeech(nn.Module):
    """Speech over time to one vector; prosody stays beside it."""

    def __init__(self, speech_dim: int, prosody_dim: int | None, dim: int, heads: int, dropout: float, pooling: str):
        super().__init__()
        self.pool = POOLINGS[pooling](speech_dim, heads)
        self.out_dim = self.pool.out_dim

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor | None) -> tuple[Tensor, None, Tensor | None]:
        """speech [B, T, D], mask [B, T] -> [B, Z], no attention, pooling weights [B, T]."""
        pooled, weights = self.pool(speech, mask)
        return pooled, None, weights


class ProsodyAttention(nn.Module):
    """Prosody (or, without it, a learned query) attends to the speech sequence: a pooling of its own."""

    def __init__(
        self, speech_dim: int, prosody_dim: int | None, dim: int, heads: int, dropout: float, pooling: str = ""
    ):
        super().__init__()
        self.keys = nn.Linear(speech_dim, dim)
        self.query = None if prosody_dim is None else nn.Linear(prosody_dim, dim)
        self.learned_query = nn.Parameter(torch.zeros(dim)) if prosody_dim is None else None
        self.attend = CrossAttention(dim, heads, dropout)
        self.out = nn.Linear(dim, dim)
        self.out_dim = dim

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor | None) -> tuple[Tensor, Tensor, None]:
        """speech [B, T, D], mask [B, T], prosody [B, P] -> [B, Z], weights [B, T] (mean over heads)."""
        query = self.learned_query.expand(len(speech), -1) if self.query is None else self.query(prosody)
        attended, weights = self.attend(query.unsqueeze(1), self.keys(speech), mask)
        return self.out(attended.squeeze(1)), weights.mean(1).squeeze(1), None


class BidirectionalAttention(nn.Module):
    """Prosody attends to speech, and every speech step to prosody; the steps are pooled and both sides joined.

    A turn has one prosody vector. The steps' second key is learned: over a single one the softmax would be 1
    everywhere, so no step could leave prosody aside.
    """

    def __init__(self, speech_dim: int, prosody_dim: int, dim: int, heads: int, dropout: float, pooling: str):
        super().__init__()
        self.to_speech = ProsodyAttention(speech_dim, prosody_dim, dim, heads, dropout)
        self.queries, self.key = nn.Linear(speech_dim, dim), nn.Linear(prosody_dim, dim)
        self.none = nn.Parameter(torch.zeros(dim))
        self.to_prosody = CrossAttention(dim, heads, dropout)
        self.pool = POOLINGS[pooling](dim, heads)
        self.join = nn.Linear(dim + self.pool.out_dim, dim)
        self.out_dim = dim

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """speech [B, T, D], mask [B, T], prosody [B, P] -> [B, Z], attention [B, T], pooling weights [B, T]."""
        attended, attention, _ = self.to_speech(speech, mask, prosody)
        keys = torch.stack([self.key(prosody), self.none.expand(len(prosody), -1)], 1)
        both = torch.ones(keys.shape[:2], dtype=torch.bool, device=keys.device)
        steps, _ = self.to_prosody(self.queries(speech), keys, both)
        pooled, weights = self.pool(steps, mask)
        return self.join(torch.cat([attended, pooled], -1)), attention, weights


INTERACTIONS: dict[str, type[nn.Module]] = {
    "concat": PooledSpeech,
    "cross_attention": ProsodyAttention,
    "bidirectional": BidirectionalAttention,
}
