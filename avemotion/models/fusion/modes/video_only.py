"""Mode `video`: the video model alone."""

from dataclasses import dataclass

from torch import Tensor

from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import Fusion, FusionOutput

NAME = "video"


@dataclass(frozen=True, kw_only=True)
class Options:
    """This mode has no options."""


class VideoOnly(Fusion):
    """The video model alone."""

    def __init__(self, audio: None, video: VideoModel, classes: int, options: Options):
        super().__init__(None, video)
        self.embedding_dim = video.dim

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> FusionOutput:
        """video [B, N, ...], video_mask [B, N]; audio is ignored."""
        assert self.video is not None
        embedding = self.video.encode(video, video_mask)
        return FusionOutput(logits=self.video.classifier(embedding), embedding=embedding)


FUSION = VideoOnly
