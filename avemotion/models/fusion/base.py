"""Base of the fusion modes: their output and the two unimodal models that they contain.

Shape letters: blocks.py; here P functionals of prosody. Every fusion takes (audio, audio_mask, video, video_mask) and
returns a FusionOutput. A mode whose Options have `prosody` (number of functionals; None = without) also takes prosody
[B, P], NaN for a clip without sound.
It contains the whole unimodal models with their classifiers, so that their checkpoints load name by name.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.prosody_model import ProsodyModel
from avemotion.models.encoders.video_encoder import VideoModel

LateRule = Literal["mean", "product"]
Parts = tuple[Tensor, ...]  # logits [B, C] of the classifiers of audio, of video and, where it is an input, of prosody


@dataclass(frozen=True, kw_only=True)
class FusionOutput:
    """Output of a fusion model for B clips; None where the mode has no such part."""

    logits: Tensor  # [B, C]; of mode `late`: log-probabilities
    embedding: Tensor  # [B, E]
    gate: Tensor | None = None  # [B]: the share of audio, against video
    prosody_share: Tensor | None = None  # [B]: the share of prosody, against both others
    parts: Parts | None = None
    # Attention weights are averaged over heads.
    video_to_audio: Tensor | None = None  # [B, N, T]: each frame's weights over audio steps
    audio_to_video: Tensor | None = None  # [B, T, N]: each audio step's weights over frames
    audio_span: int | None = None  # steps of the audio input that these T audio steps cover

    def probabilities(self, temperature: float) -> Tensor:
        """[B, C], rows sum to 1; temperature: that of the model's calibration."""
        return (self.logits.float() / temperature).softmax(-1)


@dataclass(frozen=True, kw_only=True)
class JointOptions:
    """Options of every mode that joins the embeddings of both modalities.

    residual: the mode learns a correction, 0 at the start, of the late fusion of both classifiers. late_rule: of that
    late fusion. unimodal_loss: weight of the loss of each unimodal classifier beside that of the fusion.
    """

    residual: bool = False
    late_rule: LateRule = "mean"
    unimodal_loss: float = 0.0


def late_scores(parts: Parts, rule: LateRule) -> Tensor:
    """Log-probabilities [B, C]: of the mean, or of the normalised product, of the softmaxes."""
    scores = [part.log_softmax(-1) for part in parts]
    if len(scores) == 1:
        return scores[0]
    if rule == "product":
        return reduce(torch.add, scores).log_softmax(-1)
    return reduce(torch.logaddexp, scores) - math.log(len(scores))


def has_prosody(prosody: Tensor | None, audio_mask: Tensor) -> Tensor:
    """prosody [B, P], audio_mask [B, T] -> [B]: whether a clip has prosody, which comes from its sound."""
    assert prosody is not None, "a fusion with prosody needs the functionals"
    return audio_mask.any(1) & ~prosody.isnan().any(1)


class Fusion(nn.Module):
    """Base class. audio and video: unimodal models, or None in a mode without that modality."""

    embedding_dim: int  # E

    def __init__(self, audio: AudioModel | None, video: VideoModel | None):
        super().__init__()
        self.audio, self.video = audio, video
        self.prosody: ProsodyModel | None = None  # a mode sets it where prosody is an input

    def encode(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N] -> both embeddings [B, ...]."""
        assert self.audio is not None and self.video is not None
        return self.audio.encode(audio, audio_mask), self.video.encode(video, video_mask)

    def encode_prosody(self, prosody: Tensor | None, audio_mask: Tensor) -> Tensor | None:
        """prosody [B, P], audio_mask [B, T] -> its embedding [B, ...]; None where it is no input."""
        if self.prosody is None:
            return None
        present = has_prosody(prosody, audio_mask)
        assert prosody is not None
        return self.prosody.encode(prosody, present)

    def head_parameters(self) -> list[nn.Parameter]:
        """Parameters of the fusion itself and of the unimodal heads, without the encoders."""
        own = [p for name, p in self.named_parameters() if not name.startswith(("audio.", "video."))]
        of_audio = [] if self.audio is None else self.audio.head_parameters()
        of_video = [] if self.video is None else list(self.video.classifier.parameters())
        return own + of_audio + of_video


class JointFusion(Fusion):
    """Base of the modes that join embeddings; `classifier` maps the joint embedding [B, E] to C classes.

    With `residual` its output is added to the scores of the late fusion and starts at 0, so that training starts from
    decision fusion. A clip without a modality has the scores of the other classifiers in place of the late fusion.
    """

    classifier: nn.Linear

    def __init__(self, audio: AudioModel, video: VideoModel, options: JointOptions):
        super().__init__(audio, video)
        self.joint = options

    def make_classifier(self, dim: int, classes: int) -> None:
        """Add the classifier, after all other parts."""
        self.embedding_dim, self.classifier = dim, nn.Linear(dim, classes)
        if self.joint.residual:
            nn.init.zeros_(self.classifier.weight)
            nn.init.zeros_(self.classifier.bias)

    def parts(
        self, audio_embedding: Tensor, video_embedding: Tensor, prosody_embedding: Tensor | None = None
    ) -> Parts | None:
        """Embeddings [B, ...] of the unimodal models -> their logits, if residual or unimodal_loss needs them."""
        if not self.needs_parts:
            return None  # the dropout of a classifier would draw random numbers for nothing
        assert self.audio is not None and self.video is not None
        both = self.audio.classifier(audio_embedding), self.video.classifier(video_embedding)
        if prosody_embedding is None:
            return both
        assert self.prosody is not None
        return (*both, self.prosody.classifier(prosody_embedding))

    @property
    def needs_parts(self) -> bool:
        """Whether an option needs the logits of the unimodal classifiers."""
        return self.joint.residual or self.joint.unimodal_loss > 0

    def scores(self, embedding: Tensor, parts: Parts | None, has_audio: Tensor, has_video: Tensor) -> Tensor:
        """embedding [B, E], has_audio and has_video [B] -> logits [B, C]."""
        logits = self.classifier(embedding)
        if not self.joint.residual:
            return logits
        assert parts is not None
        late = late_scores(parts, self.joint.late_rule)
        of_sound = late_scores((parts[0], *parts[2:]), self.joint.late_rule)
        late = torch.where(has_video[:, None], late, of_sound)
        return logits + torch.where(has_audio[:, None], late, parts[1].log_softmax(-1))
