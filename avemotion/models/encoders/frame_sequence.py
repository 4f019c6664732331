"""Models of the sequence of a clip's frames, from the embedding of each frame by itself.

Shape letters: blocks.py; W width of the output. Real frames come first; values of padding are ignored and arbitrary in
the output.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HEADS = 4


class FrameSequence(nn.Module, ABC):
    """Linear D -> W, then a model over frames; dropout acts on its output in training."""

    def __init__(self, frame_dim: int, dim: int, dropout: float = 0.1):
        super().__init__()
        self.dim = dim
        self.project, self.dropout = nn.Linear(frame_dim, dim), nn.Dropout(dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames [B, N, D], mask [B, N] -> [B, N, W]."""
        frames = self.project(frames.masked_fill(~mask.unsqueeze(-1), 0.0))  # padding may contain NaN
        return self.dropout(self.over_frames(frames, mask))

    @abstractmethod
    def over_frames(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames [B, N, W], mask [B, N] -> [B, N, W]."""


class FrameConvolution(FrameSequence):
    """x + ReLU(convolution of x over three frames); a frame beyond either end of the clip is zero."""

    def __init__(self, frame_dim: int, dim: int):
        super().__init__(frame_dim, dim)
        self.convolve = nn.Conv1d(dim, dim, kernel_size=3, padding=1)

    def over_frames(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames [B, N, W], mask [B, N] -> [B, N, W]."""
        frames = frames.masked_fill(~mask.unsqueeze(-1), 0.0)
        return frames + F.relu(self.convolve(frames.transpose(1, 2))).transpose(1, 2)


class FrameGRU(FrameSequence):
    """A GRU in either direction of time, with half of the width each."""

    def __init__(self, frame_dim: int, dim: int):
        super().__init__(frame_dim, dim)
        self.recur = nn.GRU(dim, dim // 2, batch_first=True, bidirectional=True)

    def over_frames(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames [B, N, W], mask [B, N] -> [B, N, W]."""
        lengths = mask.sum(1).clamp(min=1).cpu()  # a clip without picture has one frame of no effect
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recur(packed)[0], batch_first=True, total_length=frames.shape[1])[0]


class FrameTransformer(FrameSequence):
    """A transformer layer with norms before its parts, over frames with sinusoidal positions (Vaswani et al. 2017)."""

    def __init__(self, frame_dim: int, dim: int):
        super().__init__(frame_dim, dim)
        self.attend = nn.TransformerEncoderLayer(
            dim, HEADS, 2 * dim, self.dropout.p, activation="gelu", batch_first=True, norm_first=True
        )

    def over_frames(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames [B, N, W], mask [B, N] -> [B, N, W]."""
        real = mask | ~mask.any(1, keepdim=True)  # with every frame ignored the softmax would be 0/0
        return self.attend(frames + _positions(frames), src_key_padding_mask=~real)


def _positions(frames: Tensor) -> Tensor:
    """Sines and cosines of the index of each frame, [N, W] for frames [B, N, W]."""
    _, count, dim = frames.shape
    index = torch.arange(count, device=frames.device, dtype=frames.dtype).unsqueeze(1)
    rates = torch.arange(0, dim, 2, device=frames.device, dtype=frames.dtype) * (-math.log(10_000.0) / dim)
    angles = index * rates.exp()
    return torch.cat([angles.sin(), angles.cos()], -1)


TEMPORAL: dict[str, Callable[[int, int], FrameSequence]] = {
    "conv": FrameConvolution,
    "gru": FrameGRU,
    "transformer": FrameTransformer,
}
