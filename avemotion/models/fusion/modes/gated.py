"""Mode `gated`: a learned gate weighs the two embeddings."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.blocks import ModalityDropout
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import FusionOutput, JointFusion, JointOptions
from avemotion.models.fusion.gate import gate


@dataclass(frozen=True, kw_only=True)
class Options(JointOptions):
    """dim: of both projections. audio_dropout, video_dropout: of ModalityDropout. The other options: of the gate."""

    dropout: float = 0.2
    audio_dropout: float = 0.2
    video_dropout: float = 0.2
    gate_bias: float | None = -1.0
    simple_gate: bool = False
    dim: int = 256


class Gated(JointFusion):
    """g * audio + (1 - g) * video with a learned gate per clip and modality dropout in training."""

    def __init__(self, audio: AudioModel, video: VideoModel, classes: int, options: Options):
        super().__init__(audio, video, options)
        dim = options.dim
        self.project_audio = nn.Linear(audio.dim, dim)
        self.project_video = nn.Linear(video.dim, dim)
        self.modality_dropout = ModalityDropout(options.audio_dropout, options.video_dropout)
        self.gate = gate(2 * dim, dim, options.dropout, options.gate_bias, options.simple_gate)
        self.make_classifier(dim, classes)

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        audio_embedding, video_embedding = self.encode(audio, audio_mask, video, video_mask)
        projected_audio, projected_video = self.project_audio(audio_embedding), self.project_video(video_embedding)
        # A missing modality becomes zeros, like one that training drops.
        kept_audio, kept_video = self.modality_dropout(audio_mask, video_mask)
        has_audio, has_video = kept_audio.any(1), kept_video.any(1)
        projected_audio = projected_audio * has_audio[:, None]
        projected_video = projected_video * has_video[:, None]
        share = self.gate(torch.cat([projected_audio, projected_video], -1))
        embedding = share * projected_audio + (1 - share) * projected_video
        parts = self.parts(audio_embedding, video_embedding)
        logits = self.scores(embedding, parts, has_audio, has_video)
        return FusionOutput(logits=logits, embedding=embedding, gate=share.squeeze(-1), parts=parts)


FUSION = Gated
