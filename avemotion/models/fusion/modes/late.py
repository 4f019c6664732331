"""Mode `late`: decision fusion."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from avemotion.models.encoders.audio_encoders import AudioModel
from avemotion.models.encoders.video_encoder import VideoResNet18
from avemotion.models.fusion.base import Fusion, FusionOutput


@dataclass(frozen=True, kw_only=True)
class Options:
    """This mode has no options."""


class Late(Fusion):
    """Mean of the two softmaxes; cross-entropy on its logarithm is the NLL of the mean."""

    def __init__(self, audio: AudioModel, video: VideoResNet18, classes: int, options: Options):
        super().__init__(audio, video)
        self.embedding_dim = 2 * classes

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N]."""
        assert self.audio is not None and self.video is not None
        audio_scores = self.audio(audio, audio_mask).log_softmax(-1)
        video_scores = self.video(video, video_mask).log_softmax(-1)
        mean = torch.logaddexp(audio_scores, video_scores) - math.log(2)
        return FusionOutput(logits=mean, embedding=torch.cat([audio_scores.exp(), video_scores.exp()], -1))


FUSION = Late
