"""Mode `late`: decision fusion."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.prosody_model import ProsodyModel
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import Fusion, FusionOutput, LateRule, Parts, late_scores


@dataclass(frozen=True, kw_only=True)
class Options:
    """late_rule: mean or product of the softmaxes. prosody: number of functionals, for a third classifier."""

    late_rule: LateRule = "mean"
    prosody: int | None = None


class Late(Fusion):
    """Mean, or normalised product, of the two or three softmaxes; cross-entropy on its logarithm is its NLL."""

    def __init__(self, audio: AudioModel, video: VideoModel, classes: int, options: Options):
        super().__init__(audio, video)
        self.rule = options.late_rule
        if options.prosody is not None:
            self.prosody = ProsodyModel(options.prosody, classes)
        self.embedding_dim = (2 if self.prosody is None else 3) * classes

    def forward(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor, prosody: Tensor | None = None
    ) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N], prosody [B, P]."""
        assert self.audio is not None and self.video is not None
        parts: Parts = (self.audio(audio, audio_mask), self.video(video, video_mask))
        if self.prosody is not None:
            parts = (*parts, self.prosody.classifier(self.encode_prosody(prosody, audio_mask)))
        embedding = torch.cat([part.log_softmax(-1).exp() for part in parts], -1)
        return FusionOutput(logits=late_scores(parts, self.rule), embedding=embedding, parts=parts)


FUSION = Late
