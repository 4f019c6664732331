"""The video model: its cache, its arguments and its initial weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.video_encoder import VideoModel, VideoResNet18, load_imagenet
from avemotion.models.encoders.vision_model import VideoVision
from avemotion.models.vision import backbones
from avemotion.params.backbone import VisionParams
from avemotion.params.video import VideoParams
from avemotion.training.common import checkpoint

FEATURES = Path("data/features")
ENCODER = "blocks."  # the weights of the encoder; classifier and statistics belong to the corpus of stills


def video_caches(video: VideoParams, role: str) -> dict[str, FeatureStore]:
    """The caches of a role behind the video model, by kind; the frames are always among them.

    Raises:
        ValueError: as FeatureStore.
    """
    kinds = ("frames", "vision") if video.encoder == "vision" else ("frames",)
    return {kind: FeatureStore(FEATURES / kind / role) for kind in kinds}


def video_arguments(
    video: VideoParams, vision: VisionParams, caches: dict[str, FeatureStore] | None = None
) -> dict[str, Any]:
    """Arguments of build_video without the number of classes; checkpoints store them.

    Args:
        caches: those of video_caches; None = the size of an embedding comes from the image encoder itself.

    Raises:
        ValueError: no clip has a picture; or as backbones.load.
    """
    arguments = video.arguments()
    if video.encoder != "vision":
        return arguments
    assert vision.model is not None
    model, layers = vision.model, vision.unfreeze_layers
    if caches is None:
        return arguments | {"model": model, "layers": layers, "dim": backbones.dim(model)}
    store = caches["vision"]
    if not store.arrays:
        raise ValueError(
            "video.encoder is vision, but no clip of the emotion role has a picture; give fusion.mode audio"
        )
    return arguments | {
        "model": store.settings["vision"]["model"],  # with the revision of the cached output
        "layers": layers,
        "dim": store.facts["dim"],
    }


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


def start_vision(model: VideoModel, training: Iterable[tuple[Tensor, int]]) -> None:
    """Give a model of an image encoder its published blocks, and the statistics of its embeddings in training; other
    models stay as they are.

    Args:
        training: (rows [N, ...], number of real frames) of the training clips.

    Raises:
        ValueError: as backbones.load.
    """
    if isinstance(model, VideoVision):
        model.load_pretrained()
        model.fit(training)


def cached_blocks(model: VideoModel | None) -> int:
    """Number of parameters of an image encoder's frozen lower blocks, whose output comes from the cache."""
    if not isinstance(model, VideoVision):
        return 0
    own = 0 if model.top is None else sum(p.numel() for p in model.top.parameters())
    return backbones.parameters(model.model_name) - own
