"""Audio-visual fusion for categorical emotion: seven ways to join one audio and one video model.

Shape letters: blocks.py. Every fusion takes (audio, audio_mask, video, video_mask) and gives a FusionOutput.
The unimodal models stay whole inside it, classifiers included, so that their checkpoints load name by name.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.lib.models.audio import AUDIO_MODELS
from stages.lib.models.blocks import CrossAttention, ModalityDropout, masked_mean
from stages.lib.models.video import VideoResNet18


@dataclass(frozen=True, kw_only=True)
class FusionOutput:
    """logits [B, C] (for `late`: log-probabilities, which are logits too), embedding [B, E] and, where the mode
    has them, gate [B] (the share of audio) and attention weights averaged over heads."""

    logits: Tensor
    embedding: Tensor
    gate: Tensor | None = None
    video_to_audio: Tensor | None = None  # [B, N, T]: each frame's weights over audio steps
    audio_to_video: Tensor | None = None  # [B, T, N]: each audio step's weights over frames

    @property
    def probabilities(self) -> Tensor:
        """[B, C], rows sum to 1."""
        return self.logits.float().softmax(-1)


class Fusion(nn.Module):
    """audio and video: unimodal models, or None in a unimodal mode. `embedding_dim`: size of the embedding."""

    embedding_dim: int

    def __init__(self, audio: nn.Module | None, video: nn.Module | None):
        super().__init__()
        self.audio, self.video = audio, video

    def head_parameters(self) -> list[nn.Parameter]:
        """What is not an encoder: the fusion itself and the unimodal classifiers."""
        own = [p for name, p in self.named_parameters() if not name.startswith(("audio.", "video."))]
        unimodal = [model.classifier for model in (self.audio, self.video) if model is not None]
        return own + [p for classifier in unimodal for p in classifier.parameters()]


class AudioOnly(Fusion):
    """The audio model by itself."""

    def __init__(self, audio: nn.Module, video: None, classes: int):
        super().__init__(audio, None)
        self.embedding_dim = audio.dim

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T]; video is ignored."""
        embedding = self.audio.encode(audio, audio_mask)
        return FusionOutput(logits=self.audio.classifier(embedding), embedding=embedding)


class VideoOnly(Fusion):
    """The video model by itself."""

    def __init__(self, audio: None, video: nn.Module, classes: int):
        super().__init__(None, video)
        self.embedding_dim = video.dim

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """video [B, N, ...], video_mask [B, N]; audio is ignored."""
        embedding = self.video.encode(video, video_mask)
        return FusionOutput(logits=self.video.classifier(embedding), embedding=embedding)


class Late(Fusion):
    """Mean of the two softmaxes; cross-entropy on its logarithm is the NLL of the mean."""

    def __init__(self, audio: nn.Module, video: nn.Module, classes: int):
        super().__init__(audio, video)
        self.embedding_dim = 2 * classes

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        heard = self.audio(audio, audio_mask).log_softmax(-1)
        seen = self.video(video, video_mask).log_softmax(-1)
        mean = torch.logaddexp(heard, seen) - math.log(2)
        return FusionOutput(logits=mean, embedding=torch.cat([heard.exp(), seen.exp()], -1))


class Concat(Fusion):
    """Both embeddings to `dim`, concatenated, one hidden layer."""

    def __init__(self, audio: nn.Module, video: nn.Module, classes: int, dim: int = 256, dropout: float = 0.2):
        super().__init__(audio, video)
        self.project_audio = nn.Linear(audio.dim, dim)
        self.project_video = nn.Linear(video.dim, dim)
        self.hidden = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(dim, classes)
        self.embedding_dim = dim

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        heard = self.project_audio(self.audio.encode(audio, audio_mask))
        seen = self.project_video(self.video.encode(video, video_mask))
        embedding = self.hidden(torch.cat([heard, seen], -1))
        return FusionOutput(logits=self.classifier(embedding), embedding=embedding)


class Gated(Fusion):
    """g * audio + (1 - g) * video with a learned gate per clip and modality dropout in training."""

    def __init__(
        self,
        audio: nn.Module,
        video: nn.Module,
        classes: int,
        dim: int = 256,
        dropout: float = 0.2,
        audio_dropout: float = 0.2,
        video_dropout: float = 0.2,
        gate_bias: float | None = -1.0,
        simple_gate: bool = False,
    ):
        super().__init__(audio, video)
        self.project_audio = nn.Linear(audio.dim, dim)
        self.project_video = nn.Linear(video.dim, dim)
        self.modality_dropout = ModalityDropout(audio_dropout, video_dropout)
        self.gate = gate(2 * dim, dim, dropout, gate_bias, simple_gate)
        self.classifier = nn.Linear(dim, classes)
        self.embedding_dim = dim

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        heard = self.project_audio(self.audio.encode(audio, audio_mask))
        seen = self.project_video(self.video.encode(video, video_mask))
        # A clip without sound or picture is to the model what a dropped one was in training: zeros.
        kept_audio, kept_video = self.modality_dropout(audio_mask, video_mask)
        heard, seen = heard * kept_audio.any(1, keepdim=True), seen * kept_video.any(1, keepdim=True)
        share = self.gate(torch.cat([heard, seen], -1))
        embedding = share * heard + (1 - share) * seen
        return FusionOutput(logits=self.classifier(embedding), embedding=embedding, gate=share.squeeze(-1))


class CrossModal(Fusion):
    """Video frames query the audio sequence and the other way round; masked means of both are joined.

    head "concat": 2*d_model -> 256 -> classes. head "gated": a gate 2*d_model -> d_model -> 1 weighs the two.
    A modality dropped in training is a sequence without real steps, as where a clip lacks it.
    """

    def __init__(
        self,
        audio: nn.Module,
        video: nn.Module,
        classes: int,
        d_model: int = 128,
        heads: int = 4,
        head: str = "gated",
        attention_dropout: float = 0.1,
        stochastic_depth: float = 0.1,
        dropout: float = 0.2,
        audio_dropout: float = 0.2,
        video_dropout: float = 0.2,
        gate_bias: float | None = -1.0,
        simple_gate: bool = False,
    ):
        super().__init__(audio, video)
        self.project_audio = nn.Linear(audio.sequence_dim, d_model)
        self.project_video = nn.Linear(video.sequence_dim, d_model)
        self.modality_dropout = ModalityDropout(audio_dropout, video_dropout)
        self.video_to_audio = CrossAttention(d_model, heads, attention_dropout, stochastic_depth)
        self.audio_to_video = CrossAttention(d_model, heads, attention_dropout, stochastic_depth)
        if head == "gated":
            self.gate, self.hidden = gate(2 * d_model, d_model, dropout, gate_bias, simple_gate), None
            self.embedding_dim = d_model
        else:
            self.gate, self.hidden = None, nn.Sequential(nn.Linear(2 * d_model, 256), nn.ReLU(), nn.Dropout(dropout))
            self.embedding_dim = 256
        self.classifier = nn.Linear(self.embedding_dim, classes)

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        heard, heard_mask = self.audio.encode_sequence(audio, audio_mask)
        seen, seen_mask = self.video.encode_sequence(video, video_mask)
        heard_mask, seen_mask = self.modality_dropout(heard_mask, seen_mask)
        heard, seen = self.project_audio(heard), self.project_video(seen)
        from_video, video_weights = self.video_to_audio(seen, heard, heard_mask)
        from_audio, audio_weights = self.audio_to_video(heard, seen, seen_mask)
        pooled_video, pooled_audio = masked_mean(from_video, seen_mask), masked_mean(from_audio, heard_mask)
        both, share = torch.cat([pooled_audio, pooled_video], -1), None
        if self.gate is not None:
            share = self.gate(both)
            embedding = share * pooled_audio + (1 - share) * pooled_video
        else:
            embedding = self.hidden(both)
        return FusionOutput(
            logits=self.classifier(embedding),
            embedding=embedding,
            gate=None if share is None else share.squeeze(-1),
            video_to_audio=video_weights.mean(1),
            audio_to_video=audio_weights.mean(1),
        )


def gate(inputs: int, hidden: int, dropout: float, bias: float | None, simple: bool) -> nn.Sequential:
    """[B, inputs] -> [B, 1] in (0, 1), the share of audio.

    Args:
        bias: the gate starts at sigmoid(bias) for every input: 0.27 for -1, so video leads. None: at random.
        simple: Linear -> sigmoid, without the hidden layer.
    """
    last = nn.Linear(inputs if simple else hidden, 1)
    if bias is not None:
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, bias)
    if simple:
        return nn.Sequential(last, nn.Sigmoid())
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), last, nn.Sigmoid())


FUSIONS: dict[str, type[Fusion]] = {
    "audio": AudioOnly,
    "video": VideoOnly,
    "late": Late,
    "concat": Concat,
    "gated": Gated,
    "xattn": CrossModal,
}


def build_fusion(mode: str, classes: int, audio: dict | None, video: dict | None, options: dict) -> Fusion:
    """A fusion model from plain arguments; these are what its checkpoint stores.

    Args:
        audio: {"encoder": name, **arguments of AUDIO_MODELS[name]} or None for mode "video".
        video: arguments of VideoResNet18 or None for mode "audio".
        options: further arguments of FUSIONS[mode].
    """
    heard = seen = None
    if audio is not None:
        audio = dict(audio)
        heard = AUDIO_MODELS[audio.pop("encoder")](classes=classes, **audio)
    if video is not None:
        seen = VideoResNet18(classes=classes, **video)
    return FUSIONS[mode](heard, seen, classes, **options)
