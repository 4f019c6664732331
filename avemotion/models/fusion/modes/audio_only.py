"""Mode `audio`: the audio model alone."""

from dataclasses import dataclass

from torch import Tensor

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.fusion.base import Fusion, FusionOutput

NAME = "audio"


@dataclass(frozen=True, kw_only=True)
class Options:
    """This mode has no options."""


class AudioOnly(Fusion):
    """The audio model alone."""

    def __init__(self, audio: AudioModel, video: None, classes: int, options: Options):
        super().__init__(audio, None)
        self.embedding_dim = audio.dim

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """audio [B, T, D], audio_mask [B, T]; video is ignored."""
        assert self.audio is not None
        embedding = self.audio.encode(audio, audio_mask)
        return FusionOutput(logits=self.audio.classifier(embedding), embedding=embedding)


FUSION = AudioOnly
