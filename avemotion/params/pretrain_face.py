"""Section `pretrain_face` and the other params of the stage pretrain_face."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.params.shared.common import probabilities
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.shared.corpora import FACES, place
from avemotion.params.training.augment import StillAugmentParams
from avemotion.params.training.optimizer import LossParams, OptimParams
from avemotion.system import params_file

SMALLEST = 16  # pixels, which five halvings leave one pixel of


@dataclass(frozen=True, kw_only=True)
class PretrainFaceParams(OptimParams):
    """Section `pretrain_face`."""

    epochs: int
    sizes: list[int]  # pixels of the pictures in equal parts of the epochs
    dropout: float  # of the embedding before the classifier
    label_smoothing: float
    loss: LossParams
    sampling: Literal[
        "shuffled", "balanced"
    ]  # shuffled: each picture once an epoch; balanced: each class equally often

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if not self.sizes or min(self.sizes) < SMALLEST:
            raise ValueError(f"sizes is {self.sizes}; give one or more, each {SMALLEST} pixels or more")
        probabilities(self, "dropout", "label_smoothing")

    def size(self, epoch: int) -> int:
        """Pixels of the training pictures of an epoch from 1 to `epochs`."""
        return self.sizes[(epoch - 1) * len(self.sizes) // self.epochs]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    width: int  # of the encoder
    pretrain: PretrainFaceParams
    augment: StillAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        width=params_file.read(file, "video.width", int),
        pretrain=params_file.read(file, "pretrain_face", PretrainFaceParams),
        augment=params_file.read(file, "augment.stills", StillAugmentParams),
    )


def unused(config: Config, file: Path) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    if place(file, FACES) is not None:
        return config.pretrain.unused("pretrain_face")
    reason = f"corpora.{FACES} names no corpus"
    return dict.fromkeys(("pretrain_face", "augment.stills", "video.width", "seed"), reason)
