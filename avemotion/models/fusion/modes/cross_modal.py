"""Modes `xattn`, `xattn_concat` and `xattn_gated`: cross-attention between the modalities."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.blocks import CrossAttention, ModalityDropout, masked_mean
from avemotion.models.encoders.prosody_model import ProsodyModel
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import FusionOutput, JointFusion, JointOptions, has_prosody
from avemotion.models.fusion.gate import GateOptions, ProsodyGate, gate

NAME = "xattn"


@dataclass(frozen=True, kw_only=True)
class Options(JointOptions):
    """heads, attention_dropout, stochastic_depth: of both cross-attentions. audio_path: the keys of sound. head: joins
    the two attended sequences. audio_dropout, video_dropout: of ModalityDropout. head_dropout: of head concat. dropout,
    gate_bias, simple_gate: of the gate of head gated. prosody: number of functionals, for a query to sound."""

    d_model: int = 128
    heads: int = 4
    audio_path: Literal["sequence", "conv"] = "sequence"
    head: Literal["concat", "gated"] = "gated"
    attention_dropout: float = 0.1
    stochastic_depth: float = 0.1
    head_dropout: float = 0.0
    dropout: float = 0.2
    audio_dropout: float = 0.2
    video_dropout: float = 0.2
    gate_bias: float | None = -1.0
    simple_gate: bool = False
    prosody: int | None = None


class CrossModal(JointFusion):
    """Video frames attend to the audio sequence, and audio steps to the frames; a head joins the masked means of both.

    audio_path "sequence": Linear on the encoder's sequence. "conv": Conv1d of width 3, then Linear, on WavLM's hidden
    states, or for a mel encoder on the log-mel itself; the layers of that encoder then have no effect.
    head "concat": 2*d_model -> 256 -> classes. head "gated": a gate 2*d_model -> d_model -> 1 weighs the two means.
    A modality that training drops has no real steps, like a missing one.
    With prosody as third input, its embedding is a query that attends to the audio sequence, as in the VA model V4.
    Head concat takes the attended query beside the two means; head gated weighs it against them with a second gate.
    """

    def __init__(self, audio: AudioModel, video: VideoModel, classes: int, options: Options):
        super().__init__(audio, video, options)
        dim, o = options.d_model, options
        self.convolve: nn.Module | None = None
        if o.audio_path == "conv":
            self.convolve = nn.Conv1d(audio.conv_dim, dim, kernel_size=3, padding=1)
        self.project_audio = nn.Linear(dim if self.convolve is not None else audio.sequence_dim, dim)
        self.project_video = nn.Linear(video.sequence_dim, dim)
        self.modality_dropout = ModalityDropout(o.audio_dropout, o.video_dropout)
        self.video_to_audio = CrossAttention(dim, o.heads, o.attention_dropout, o.stochastic_depth)
        self.audio_to_video = CrossAttention(dim, o.heads, o.attention_dropout, o.stochastic_depth)
        self.gate: nn.Module | None = None
        self.hidden: nn.Module | None = None
        self.project_prosody: nn.Module | None = None
        self.prosody_gate: ProsodyGate | None = None
        if o.prosody is not None:
            self.prosody = ProsodyModel(o.prosody, classes)
            self.project_prosody = nn.Linear(self.prosody.dim, dim)
            self.prosody_to_audio = CrossAttention(dim, o.heads, o.attention_dropout, o.stochastic_depth)
        if o.head == "gated":
            gate_options: GateOptions = {
                "hidden": dim,
                "dropout": o.dropout,
                "bias": o.gate_bias,
                "simple": o.simple_gate,
            }
            self.gate = gate(2 * dim, **gate_options)
            if o.prosody is not None:
                self.prosody_gate = ProsodyGate(dim, dim, gate_options)
        else:
            means = 2 if self.prosody is None else 3
            self.hidden = nn.Sequential(nn.Linear(means * dim, 256), nn.ReLU(), nn.Dropout(o.head_dropout))
        self.make_classifier(dim if o.head == "gated" else 256, classes)

    def forward(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor, prosody: Tensor | None = None
    ) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N], prosody [B, P]."""
        assert self.audio is not None and self.video is not None
        of_prosody = self.encode_prosody(prosody, audio_mask)
        both = self.encode(audio, audio_mask, video, video_mask) if self.needs_parts else None
        parts = None if both is None else self.parts(*both, of_prosody)
        audio_steps, audio_mask = self.audio_sequence(audio, audio_mask)
        stride = self.audio.stride if self.convolve is None else None
        frames, video_mask = self.video.encode_sequence(video, video_mask)
        audio_mask, video_mask = self.modality_dropout(audio_mask, video_mask)
        audio_steps, frames = self.project_audio(audio_steps), self.project_video(frames)
        attended_video, video_weights = self.video_to_audio(frames, audio_steps, audio_mask)
        attended_audio, audio_weights = self.audio_to_video(audio_steps, frames, video_mask)
        pooled_video, pooled_audio = masked_mean(attended_video, video_mask), masked_mean(attended_audio, audio_mask)
        means, share, prosody_share, present = [pooled_audio, pooled_video], None, None, None
        if self.project_prosody is not None:
            present = has_prosody(prosody, audio_mask)
            query = self.project_prosody(of_prosody).unsqueeze(1)
            attended = self.prosody_to_audio(query, audio_steps, audio_mask)[0].squeeze(1)
            means.append(attended * present[:, None])
        if self.gate is not None:
            share = self.gate(torch.cat(means[:2], -1))
            embedding = share * pooled_audio + (1 - share) * pooled_video
            if self.prosody_gate is not None:
                embedding, prosody_share = self.prosody_gate(embedding, means[2], present)
        else:
            assert self.hidden is not None
            embedding = self.hidden(torch.cat(means, -1))
        return FusionOutput(
            logits=self.scores(embedding, parts, audio_mask.any(1), video_mask.any(1)),
            embedding=embedding,
            gate=None if share is None else share.squeeze(-1),
            prosody_share=prosody_share,
            parts=parts,
            video_to_audio=video_weights.mean(1),
            audio_to_video=audio_weights.mean(1),
            audio_span=audio.shape[1] if stride is None else stride * audio_steps.shape[1],
        )

    def audio_sequence(self, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, D], mask [B, T] -> input of the projection [B, T', ...], mask [B, T']."""
        assert self.audio is not None
        if self.convolve is None:
            return self.audio.encode_sequence(audio, mask)
        # The window reaches one step beyond the last real one, so padding is 0 there as at the ends of the batch.
        steps = self.audio.conv_sequence(audio, mask).masked_fill(~mask.unsqueeze(-1), 0.0)
        return self.convolve(steps.transpose(1, 2)).transpose(1, 2), mask


FUSION = CrossModal
