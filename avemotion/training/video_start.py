"""Initial weights of the video model."""

from pathlib import Path
from typing import Any

from avemotion.models.encoders.video_encoder import VideoModel, VideoResNet18, load_imagenet
from avemotion.training.common import checkpoint

ENCODER = "blocks."  # the weights of the encoder; classifier and statistics belong to the corpus of stills


def start(model: VideoModel, start: str, face_checkpoint: Path) -> dict[str, Any]:
    """Copy pretrained weights into the encoder.

    Args:
        start: none, imagenet or face. face_checkpoint: folder of the stage pretrain_face.

    Returns:
        for model.json: {"start": its name and the names of the copied weights}; nothing for none.

    Raises:
        ValueError: the weights are missing, or those of another encoder.
    """
    if start == "none":
        return {}
    if start == "imagenet":
        assert isinstance(model, VideoResNet18)
        load_imagenet(model)
        return {"start": {"weights": start}}
    if not (face_checkpoint / "model.json").is_file():
        raise ValueError(
            f"pretrain_video.start is face, but {face_checkpoint} has no model; name a corpus of stills in "
            "corpora.faces and run `dvc repro`, or name another folder in pretrain_video.face_checkpoint"
        )
    _, state = checkpoint.load(face_checkpoint)
    encoder = {name: value for name, value in state.items() if name.startswith(ENCODER)}
    taken = checkpoint.warm_start(model, encoder, str(face_checkpoint))["taken"]
    return {"start": {"weights": start, "taken": taken}}
