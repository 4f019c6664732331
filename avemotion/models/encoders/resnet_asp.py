"""A residual CNN over the log-mel with attentive statistics pooling, for clips of any length.

Residual blocks: He et al. 2016; pooling: Okabe et al. 2018 (arXiv:1803.10963). Interface and shape letters:
audio_model.py; here F frequency, T' = ceil(T / 8) steps. Padding changes no output: it is set to 0 before each
convolution, which is what a convolution adds at the end of a clip that is alone.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import MelEncoder

LARGEST = 5.0  # standard deviations; a larger value of the input is cut to this


class ResNetAsp(MelEncoder):
    """298 k parameters with 80 bands and the default sizes.

    Convolution 5 x 5 with stride 2, three residual blocks, a projection of all bands to `dim / 2` features a step,
    their mean and deviation weighted by attention, batch normalisation.
    """

    stride: ClassVar[int] = 8

    def __init__(self, classes: int, mel_bands: int = 80, dim: int = 256, width: int = 16):
        super().__init__(classes, mel_bands, dim, sequence_dim=dim // 2)
        self.stem = nn.Sequential(nn.Conv2d(1, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(True))
        self.blocks = nn.ModuleList(
            [
                ResidualBlock(width, 2 * width, (2, 2)),
                ResidualBlock(2 * width, 4 * width, (2, 2)),
                ResidualBlock(4 * width, 6 * width, (1, 2)),
            ]
        )
        rows = 6 * width * -(-mel_bands // 16)
        self.project = nn.Sequential(nn.Conv1d(rows, dim // 2, 1, bias=False), nn.BatchNorm1d(dim // 2), nn.ReLU())
        self.pool = AttentiveStatistics(dim // 2)
        self.norm = ClipNorm(dim)
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(dim, classes))
        self.to(memory_format=torch.channels_last)  # faster on a CPU

    def encode(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, M], mask [B, T] -> [B, dim], 0 for a clip without sound."""
        return self.norm(self.pool(*self.encode_sequence(audio, mask))).masked_fill(~mask.any(1, keepdim=True), 0.0)

    def encode_sequence(self, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, M], mask [B, T] -> [B, T', dim / 2], mask [B, T']."""
        # Padding may hold any value, also NaN.
        image = self.conv_sequence(audio, mask).masked_fill(~mask.unsqueeze(-1), 0.0)
        more = -audio.shape[1] % self.stride
        image, real = nn.functional.pad(image, (0, 0, 0, more)).unsqueeze(1), nn.functional.pad(mask, (0, more))[:, ::2]
        image = silenced(self.stem(image), real)
        for block in self.blocks:
            image, real = block(image, real)
        steps = self.project(image.transpose(1, 2).flatten(2).transpose(1, 2))
        return steps.transpose(1, 2).masked_fill(~real.unsqueeze(-1), 0.0), real

    def conv_sequence(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, M] -> [B, T, M], standardised."""
        return self.normalize(audio).clamp(-LARGEST, LARGEST)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]):
        super().__init__()
        self.stride = stride  # time, frequency
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, image: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """image [B, C, T, F] with padding 0, real [B, T] -> [B, C', T / stride, F / stride], padding 0, real."""
        real = real[:, :: self.stride[0]]
        hidden = silenced(self.first(image).relu_(), real)
        return silenced((self.second(hidden) + self.skip(image)).relu_(), real), real


class AttentiveStatistics(nn.Module):
    """Mean and standard deviation over time, weighted for each feature by a softmax over the real steps."""

    def __init__(self, size: int, hidden: int = 64):
        super().__init__()
        self.attend = nn.Sequential(nn.Linear(size, hidden), nn.Tanh(), nn.Linear(hidden, size))

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """steps [B, T, D], mask [B, T] -> [B, 2 D]."""
        # A clip without any step has equal weights, not NaN; its steps are 0.
        scores = self.attend(steps).float().masked_fill(~mask.unsqueeze(-1), -1e9)
        weights, steps = scores.softmax(1), steps.float()
        mean = (weights * steps).sum(1)
        variance = (weights * steps.square()).sum(1) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-5).sqrt()], -1)


class ClipNorm(nn.BatchNorm1d):
    """Batch normalisation of clips; a batch of one clip, which has no deviation, takes the running statistics."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, D] -> [B, D]."""
        if len(input) > 1:
            return super().forward(input)
        mean, variance = self.running_mean, self.running_var
        return nn.functional.batch_norm(input, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


def silenced(image: Tensor, real: Tensor) -> Tensor:
    """image [B, C, T, F] with 0 where real [B, T] is False."""
    return image * real[:, None, :, None].to(image.dtype)
