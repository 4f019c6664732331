"""The interface of audio models: an encoder and a classifier over it.

Every audio model has
    encode(audio, mask) -> embedding [B, dim]
    encode_sequence(audio, mask) -> ([B, T', sequence_dim], mask [B, T'])
    conv_sequence(audio, mask) -> [B, T, conv_dim], the input of a convolution over time
    head_parameters() -> the classifier's, and weights over hidden layers
    encoder_parameters(layers) -> trainable parameters besides those
    forward(audio, mask) -> class logits [B, C]
Shape letters: blocks.py; here M mel bands, H hidden size.

The mel encoders take audio [B, T, M] in dB. `wavlm` takes the hidden states [B, T, H] that enter its trained layers, or
[B, T, L + 1, H] with L further layers before them.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from avemotion.models.encoders.blocks import Standardize


class AudioModel(nn.Module, ABC):
    """An audio encoder and a classifier over its embedding."""

    stride: ClassVar[int | None] = None  # steps of the input in one of the sequence; None: T / T', a fraction too
    step: tuple[int, ...]  # shape of a step of the input
    dim: int  # of the embedding
    sequence_dim: int
    conv_dim: int
    classifier: nn.Module

    @abstractmethod
    def encode(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, D], mask [B, T] -> embedding [B, dim]."""

    @abstractmethod
    def encode_sequence(self, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, D], mask [B, T] -> [B, T', sequence_dim], mask [B, T']."""

    @abstractmethod
    def conv_sequence(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, D], mask [B, T] -> [B, T, conv_dim]: WavLM's hidden states, or the standardised log-mel."""

    @abstractmethod
    def encoder_parameters(self, layers: int | None = None) -> list[nn.Parameter]:
        """The trainable parameters besides those of the heads; layers: of the last ones of WavLM, None = all."""

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters that every phase of training changes."""
        return list(self.classifier.parameters())

    def forward(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, D], mask [B, T] -> logits [B, C]."""
        return self.classifier(self.encode(audio, mask))


class MelEncoder(AudioModel):
    """Base of the encoders of log-mels: normalisation, layers that are trained as a whole, a classifier."""

    def __init__(self, classes: int, mel_bands: int, dim: int, sequence_dim: int):
        super().__init__()
        self.dim, self.sequence_dim, self.conv_dim, self.step = dim, sequence_dim, mel_bands, (mel_bands,)
        self.normalize = Standardize(mel_bands)
        self.classifier: nn.Module = nn.Linear(dim, classes)

    def conv_sequence(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, M] -> [B, T, M]: no layer of the encoder, only its standardisation."""
        return self.normalize(audio)

    def encoder_parameters(self, layers: int | None = None) -> list[nn.Parameter]:
        """Everything but the classifier."""
        return [p for name, p in self.named_parameters() if not name.startswith("classifier.")]
