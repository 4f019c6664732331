"""Mode `concat`: feature fusion by concatenation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.prosody_model import ProsodyModel
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import FusionOutput, JointFusion, JointOptions


@dataclass(frozen=True, kw_only=True)
class Options(JointOptions):
    """Options of mode `concat`. prosody: number of functionals, for a third embedding."""

    dropout: float = 0.2
    prosody: int | None = None
    dim: int = 256  # of all projections and of the hidden layer


class Concat(JointFusion):
    """Projects the embeddings to `dim`, concatenates them and adds a hidden layer."""

    def __init__(self, audio: AudioModel, video: VideoModel, classes: int, options: Options):
        super().__init__(audio, video, options)
        dim = options.dim
        self.project_audio = nn.Linear(audio.dim, dim)
        self.project_video = nn.Linear(video.dim, dim)
        self.project_prosody: nn.Module | None = None
        if options.prosody is not None:
            self.prosody = ProsodyModel(options.prosody, classes)
            self.project_prosody = nn.Linear(self.prosody.dim, dim)
        inputs = 2 if self.project_prosody is None else 3
        self.hidden = nn.Sequential(nn.Linear(inputs * dim, dim), nn.ReLU(), nn.Dropout(options.dropout))
        self.make_classifier(dim, classes)

    def forward(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor, prosody: Tensor | None = None
    ) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N], prosody [B, P]."""
        audio_embedding, video_embedding = self.encode(audio, audio_mask, video, video_mask)
        joined = [self.project_audio(audio_embedding), self.project_video(video_embedding)]
        of_prosody = self.encode_prosody(prosody, audio_mask)
        if self.project_prosody is not None:
            joined.append(self.project_prosody(of_prosody))
        embedding = self.hidden(torch.cat(joined, -1))
        parts = self.parts(audio_embedding, video_embedding, of_prosody)
        logits = self.scores(embedding, parts, audio_mask.any(1), video_mask.any(1))
        return FusionOutput(logits=logits, embedding=embedding, parts=parts)


FUSION = Concat
