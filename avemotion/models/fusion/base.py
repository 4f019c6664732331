"""Base of the fusion modes: their output and the two unimodal models that they contain.

Shape letters: blocks.py. Every fusion takes (audio, audio_mask, video, video_mask) and returns a FusionOutput.
It contains the whole unimodal models with their classifiers, so that their checkpoints load name by name.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from avemotion.models.encoders.audio_encoders import AudioModel
from avemotion.models.encoders.video_encoder import VideoResNet18


@dataclass(frozen=True, kw_only=True)
class FusionOutput:
    """Output of a fusion model for B clips; None where the mode has no such part."""

    logits: Tensor  # [B, C]; of mode `late`: log-probabilities
    embedding: Tensor  # [B, E]
    gate: Tensor | None = None  # [B]: the share of audio
    # Attention weights are averaged over heads.
    video_to_audio: Tensor | None = None  # [B, N, T]: each frame's weights over audio steps
    audio_to_video: Tensor | None = None  # [B, T, N]: each audio step's weights over frames

    @property
    def probabilities(self) -> Tensor:
        """[B, C], rows sum to 1."""
        return self.logits.float().softmax(-1)


class Fusion(nn.Module):
    """Base class. audio and video: unimodal models, or None in a mode without that modality."""

    embedding_dim: int  # E

    def __init__(self, audio: AudioModel | None, video: VideoResNet18 | None):
        super().__init__()
        self.audio, self.video = audio, video

    def encode(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N] -> both embeddings [B, ...]."""
        assert self.audio is not None and self.video is not None
        return self.audio.encode(audio, audio_mask), self.video.encode(video, video_mask)

    def head_parameters(self) -> list[nn.Parameter]:
        """Parameters of the fusion itself and of the unimodal classifiers, without the encoders."""
        own = [p for name, p in self.named_parameters() if not name.startswith(("audio.", "video."))]
        unimodal = [model.classifier for model in (self.audio, self.video) if model is not None]
        return own + [p for classifier in unimodal for p in classifier.parameters()]
