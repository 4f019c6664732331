"""Section `video`: the video encoder."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class VideoParams:
    """Section `video`: the video encoder."""

    encoder: Literal["resnet18", "face"]
    width: int  # of face: channels of the first stage
    stages: int  # of face: last stages whose output is a frame's embedding
    pooling: Literal["mean", "mean_std"]  # over frames

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is {self.width}; give 1 or more")
        if self.stages not in (1, 2):
            raise ValueError(f"stages is {self.stages}; give 1 (the last) or 2")

    def arguments(self) -> dict[str, Any]:
        """Arguments of build_video without the number of classes; checkpoints store them."""
        of_face = {"width": self.width, "stages": self.stages} if self.encoder == "face" else {}
        return {"encoder": self.encoder, **of_face, "pooling": self.pooling}


def unused_of_video(video: VideoParams) -> dict[str, str]:
    """Params that only the other video encoder uses: key -> reason."""
    if video.encoder == "face":
        return {}
    return dict.fromkeys(("video.width", "video.stages"), f"video.encoder is {video.encoder}")
