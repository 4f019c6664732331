"""Section `pretrain_video` and the other params of the stage pretrain_video."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.augment import FrameAugmentParams
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class PretrainVideoParams(ClassifierParams):
    """Section `pretrain_video`."""

    imagenet: bool  # start from torchvision's ImageNet weights
    epochs: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    pretrain: PretrainVideoParams
    augment: FrameAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        pretrain=params_file.read(file, "pretrain_video", PretrainVideoParams),
        augment=params_file.read(file, "augment.frames", FrameAugmentParams),
    )


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    return config.pretrain.unused("pretrain_video")
