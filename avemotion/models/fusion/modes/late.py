"""Mode `late`: decision fusion."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import Fusion, FusionOutput, LateRule, late_scores


@dataclass(frozen=True, kw_only=True)
class Options:
    """late_rule: mean or product of both softmaxes."""

    late_rule: LateRule = "mean"


class Late(Fusion):
    """Mean, or normalised product, of the two softmaxes; cross-entropy on its logarithm is its NLL."""

    def __init__(self, audio: AudioModel, video: VideoModel, classes: int, options: Options):
        super().__init__(audio, video)
        self.rule = options.late_rule
        self.embedding_dim = 2 * classes

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        assert self.audio is not None and self.video is not None
        parts = self.audio(audio, audio_mask), self.video(video, video_mask)
        embedding = torch.cat([part.log_softmax(-1).exp() for part in parts], -1)
        return FusionOutput(logits=late_scores(parts, self.rule), embedding=embedding, parts=parts)


FUSION = Late
