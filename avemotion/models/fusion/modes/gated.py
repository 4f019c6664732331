"""Mode `gated`: a learned gate weighs the two embeddings."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.blocks import ModalityDropout
from avemotion.models.encoders.prosody_model import ProsodyModel
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import FusionOutput, JointFusion, JointOptions, has_prosody
from avemotion.models.fusion.gate import GateOptions, ProsodyGate, gate


@dataclass(frozen=True, kw_only=True)
class Options(JointOptions):
    """dim: of both projections. audio_dropout, video_dropout: of ModalityDropout. prosody: number of
    functionals, for a third input with a gate of its own. The other options: of the gates."""

    dropout: float = 0.2
    audio_dropout: float = 0.2
    video_dropout: float = 0.2
    gate_bias: float | None = -1.0
    simple_gate: bool = False
    prosody: int | None = None
    dim: int = 256


class Gated(JointFusion):
    """g * audio + (1 - g) * video with a learned gate per clip and modality dropout in training.

    With prosody as third input, a second gate weighs it against the result: s * prosody + (1 - s) * (...).
    """

    def __init__(self, audio: AudioModel, video: VideoModel, classes: int, options: Options):
        super().__init__(audio, video, options)
        dim = options.dim
        self.project_audio = nn.Linear(audio.dim, dim)
        self.project_video = nn.Linear(video.dim, dim)
        self.modality_dropout = ModalityDropout(options.audio_dropout, options.video_dropout)
        o = options
        gate_options: GateOptions = {
            "hidden": dim,
            "dropout": o.dropout,
            "bias": o.gate_bias,
            "simple": o.simple_gate,
        }
        self.gate = gate(2 * dim, **gate_options)
        self.prosody_gate: ProsodyGate | None = None
        if options.prosody is not None:
            self.prosody = ProsodyModel(options.prosody, classes)
            self.prosody_gate = ProsodyGate(self.prosody.dim, dim, gate_options)
        self.make_classifier(dim, classes)

    def forward(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor, prosody: Tensor | None = None
    ) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N], prosody [B, P]."""
        audio_embedding, video_embedding = self.encode(audio, audio_mask, video, video_mask)
        projected_audio, projected_video = self.project_audio(audio_embedding), self.project_video(video_embedding)
        # A missing modality becomes zeros, like one that training drops.
        kept_audio, kept_video = self.modality_dropout(audio_mask, video_mask)
        has_audio, has_video = kept_audio.any(1), kept_video.any(1)
        projected_audio = projected_audio * has_audio[:, None]
        projected_video = projected_video * has_video[:, None]
        share = self.gate(torch.cat([projected_audio, projected_video], -1))
        embedding = share * projected_audio + (1 - share) * projected_video
        of_prosody, prosody_share = self.encode_prosody(prosody, audio_mask), None
        if self.prosody_gate is not None:
            present = has_prosody(prosody, kept_audio)
            embedding, prosody_share = self.prosody_gate(embedding, of_prosody, present)
        parts = self.parts(audio_embedding, video_embedding, of_prosody)
        logits = self.scores(embedding, parts, has_audio, has_video)
        gate = share.squeeze(-1)
        return FusionOutput(logits=logits, embedding=embedding, gate=gate, prosody_share=prosody_share, parts=parts)


FUSION = Gated
