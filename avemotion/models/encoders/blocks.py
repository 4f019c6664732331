"""Building blocks that several models share.

Shape letters, here and in every model file: B clips, T audio steps, N video frames, Q queries, K keys,
D features, C classes, E embedding. Masks are [B, T], True = real.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """x [B, T, D], mask [B, T] -> [B, D], the mean over real steps (0 where a row has none)."""
    weight = mask.unsqueeze(-1).to(x.dtype)
    # masked_fill instead of a product with 0: padding may contain any value, also NaN.
    total = x.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
    return total / weight.sum(1).clamp(min=1.0)


def masked_std(x: Tensor, mask: Tensor) -> Tensor:
    """x [B, T, D], mask [B, T] -> [B, D], the standard deviation over real steps (about 0 where a row has one or none).

    Within the root is 1e-6, so that its gradient stays finite at 0.
    """
    deviation = x.masked_fill(~mask.unsqueeze(-1), 0.0) - masked_mean(x, mask).unsqueeze(1)
    return (masked_mean(deviation.square(), mask) + 1e-6).sqrt()


class Standardize(nn.Module):
    """(x - mean) / std with statistics of the training rows; buffers store them, so that checkpoints contain them.

    size: shape of a row.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(*size))
        self.register_buffer("std", torch.ones(*size))

    @torch.no_grad()
    def fit(self, rows: Tensor) -> None:
        """Compute the statistics of rows [R, D]. A constant feature has std 1, so that it becomes 0."""
        rows = rows.double()
        std, mean = torch.std_mean(rows, dim=0, correction=0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-8, std, torch.ones_like(std)))

    @torch.no_grad()
    def fit_parts(self, parts: Iterable[Tensor]) -> None:
        """As fit, of rows that come in parts [R_i, D], so that only one part is in memory."""
        count, total, squares = 0, torch.zeros_like(self.mean).double(), torch.zeros_like(self.mean).double()
        for part in parts:
            count += len(part)
            total += part.double().sum(0)
            squares += part.double().square().sum(0)
        std = (squares / count - (total / count).square()).clamp(min=0).sqrt()
        self.mean.copy_(total / count)
        self.std.copy_(torch.where(std > 1e-8, std, torch.ones_like(std)))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return (x - self.mean) / self.std

    def invert(self, z: Tensor) -> Tensor:
        """[..., D] -> [..., D] in the original units."""
        return z * self.std + self.mean


class ModalityDropout(nn.Module):
    """Drops audio or video of training clips; never both, and never the only modality of a clip."""

    def __init__(self, audio: float, video: float):
        super().__init__()
        self.audio, self.video = audio, video

    def forward(self, audio_mask: Tensor, video_mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio_mask [B, T], video_mask [B, N] -> the masks, False for the steps of a dropped modality."""
        if not self.training:
            return audio_mask, video_mask
        # One draw and two disjoint intervals: a clip never loses both.
        draw = torch.rand(len(audio_mask), 1, device=audio_mask.device)
        drop_audio = (draw < self.audio) & video_mask.any(1, keepdim=True)
        drop_video = (draw >= self.audio) & (draw < self.audio + self.video) & audio_mask.any(1, keepdim=True)
        return audio_mask & ~drop_audio, video_mask & ~drop_video


class CrossAttention(nn.Module):
    """Queries of one modality attend to the steps of another: LayerNorm(q + StochasticDepth(MHA(q, k, k)))."""

    def __init__(self, dim: int, heads: int, dropout: float, stochastic_depth: float = 0.0):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.drop_branch = StochasticDepth(stochastic_depth, mode="row")
        self.norm = nn.LayerNorm(dim)

    def forward(self, query: Tensor, keys: Tensor, key_mask: Tensor) -> tuple[Tensor, Tensor]:
        """query [B, Q, D], keys [B, K, D], key_mask [B, K] -> [B, Q, D], weights [B, heads, Q, K].

        Without any real key (the clip lacks that modality) the output depends on the query alone and the weights are 0.
        """
        absent = ~key_mask.any(1).view(-1, 1, 1)
        keys = keys.masked_fill(~key_mask.unsqueeze(-1), 0.0)  # padding may contain NaN, and 0 * NaN is NaN
        ignored = ~key_mask & ~absent.squeeze(-1)  # with every key ignored the softmax would be 0/0
        attended, weights = self.attention(
            query, keys, keys, key_padding_mask=ignored, need_weights=True, average_attn_weights=False
        )
        attended, weights = attended.masked_fill(absent, 0.0), weights.masked_fill(absent.unsqueeze(-1), 0.0)
        return self.norm(query + self.drop_branch(attended)), weights
