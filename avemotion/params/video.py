"""Section `video`: the video encoder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from avemotion.params import backbone
from avemotion.params.backbone import VisionParams
from avemotion.system import params_file

Encoder = Literal["resnet18", "face", "vision"]
BLOCKS = 5  # of resnet18 and face: the stem and four levels


@dataclass(frozen=True, kw_only=True)
class VideoParams:
    """Section `video`: the video encoder."""

    encoder: Encoder
    width: int  # of face: channels of the first stage
    stages: int  # of face: last stages whose output is a frame's embedding
    temporal: Literal["none", "conv", "gru", "transformer"]  # model over the embeddings of frames
    temporal_dim: int  # its width
    pooling: Literal["mean", "mean_std", "attention"]  # over frames

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is {self.width}; give 1 or more")
        if self.stages not in (1, 2):
            raise ValueError(f"stages is {self.stages}; give 1 (the last) or 2")
        if self.temporal_dim < 4 or self.temporal_dim % 4:
            raise ValueError(
                f"temporal_dim is {self.temporal_dim}; the transformer has 4 heads, so give a multiple of 4"
            )

    def arguments(self) -> dict[str, Any]:
        """Arguments of build_video without the number of classes and those of vision; checkpoints store them."""
        of_face = {"width": self.width, "stages": self.stages} if self.encoder == "face" else {}
        over_frames = {"temporal": {"kind": self.temporal, "dim": self.temporal_dim}} if self.temporal != "none" else {}
        return {"encoder": self.encoder, **of_face, "pooling": self.pooling, **over_frames}

    @property
    def learned(self) -> bool:
        """Whether a temporal model or a pooling with weights lies between the frames and the clip."""
        return self.temporal != "none" or self.pooling == "attention"

    def blocks(self, vision: VisionParams) -> int:
        """Number of blocks that training may change."""
        return vision.unfreeze_layers if self.encoder == "vision" else BLOCKS

    def trained(self, blocks: int, vision: VisionParams, key: str) -> int:
        """The number of last blocks that a stage trains.

        Args:
            blocks: the value of its param. key: file and name of that param.

        Raises:
            ValueError: more blocks than training may change.
        """
        return vision.trained(blocks, key) if self.encoder == "vision" else blocks


def read(file: Path) -> tuple[VideoParams, VisionParams]:
    """The sections `video` and `vision`.

    Raises:
        ValueError: as params_file.read, or the encoder is vision and no model is named.
    """
    video, vision = params_file.read(file, "video", VideoParams), backbone.read(file)
    if video.encoder == "vision" and vision.model is None:
        raise ValueError(
            f"{file}: video.encoder is vision, but vision.model is null; give {backbone.CHOICES}, or another encoder"
        )
    return video, vision


def unused_of_video(video: VideoParams) -> dict[str, str]:
    """Params that only another video encoder uses: key -> reason."""
    reason = f"video.encoder is {video.encoder}"
    reasons: dict[str, str] = {}
    if video.encoder != "face":
        reasons |= dict.fromkeys(("video.width", "video.stages"), reason)
    if video.encoder != "vision":
        reasons["vision"] = reason
    if video.temporal == "none":
        reasons["video.temporal_dim"] = "video.temporal is none"
    return reasons
