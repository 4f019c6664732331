"""The video models by name."""

from typing import Any

from avemotion.models.encoders.face_encoder import VideoFace
from avemotion.models.encoders.video_encoder import VideoModel, VideoResNet18
from avemotion.models.encoders.vision_model import VideoVision

VIDEO_MODELS: dict[str, type[VideoModel]] = {"resnet18": VideoResNet18, "face": VideoFace, "vision": VideoVision}


def build_video(classes: int, arguments: dict[str, Any]) -> VideoModel:
    """A video model with fresh weights.

    Args:
        arguments: {"encoder": name, **arguments of VIDEO_MODELS[name]}; no name is resnet18, as in older checkpoints.
    """
    rest = {name: value for name, value in arguments.items() if name != "encoder"}
    return VIDEO_MODELS[arguments.get("encoder", "resnet18")](classes=classes, **rest)
