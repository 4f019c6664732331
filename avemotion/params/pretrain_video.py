"""Section `pretrain_video` and the other params of the stage pretrain_video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.params.backbone import VisionParams
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.augment import FrameAugmentParams
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.params.video import BLOCKS, VideoParams, unused_of_video
from avemotion.params.video import read as read_video
from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class PretrainVideoParams(ClassifierParams):
    """Section `pretrain_video`."""

    start: Literal["none", "imagenet", "face"]  # initial weights: random, torchvision's, those of pretrain_face
    face_checkpoint: str  # for start face: folder of the stage pretrain_face
    blocks: int | None  # last blocks that are trained; null = all that may be, or none with start face
    epochs: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if self.blocks is not None and not 0 <= self.blocks <= BLOCKS:
            raise ValueError(f"blocks is {self.blocks}; give 0 to {BLOCKS} ({BLOCKS} trains the stem too), or null")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    video: VideoParams
    vision: VisionParams
    pretrain: PretrainVideoParams
    augment: FrameAugmentParams
    open_blocks: int  # number of last blocks that are trained


def configure(file: Path) -> Config:
    """Read and check this stage's params.

    Raises:
        ValueError: a value is not as expected, or the initial weights are those of another encoder.
    """
    video, vision = read_video(file)
    pretrain = params_file.read(file, "pretrain_video", PretrainVideoParams)
    needs = {"imagenet": "resnet18", "face": "face"}.get(pretrain.start, video.encoder)
    if video.encoder != needs:
        raise ValueError(
            f"{file}: pretrain_video.start is {pretrain.start}, whose weights are those of video.encoder {needs}, not "
            f"{video.encoder}; change one of the two"
        )
    open_blocks = 0 if pretrain.start == "face" else video.blocks(vision)
    if pretrain.blocks is not None:
        open_blocks = video.trained(pretrain.blocks, vision, f"{file}: pretrain_video.blocks")
    return Config(
        video=video,
        vision=vision,
        open_blocks=open_blocks,
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        pretrain=pretrain,
        augment=params_file.read(file, "augment.frames", FrameAugmentParams),
    )


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    p, reasons = config.pretrain, unused_of_video(config.video) | config.pretrain.unused("pretrain_video")
    if p.start != "face":
        reasons["pretrain_video.face_checkpoint"] = f"pretrain_video.start is {p.start}"
    if config.video.encoder == "vision":
        reasons["augment.frames"] = "video.encoder is vision, whose output is cached"
        if not config.vision.unfreeze_layers:
            reasons["pretrain_video.blocks"] = "vision.unfreeze_layers is 0"
    elif config.open_blocks < BLOCKS:
        reasons["augment.frames"] = "the output of the frozen blocks of pretrain_video is computed once"
    return reasons
