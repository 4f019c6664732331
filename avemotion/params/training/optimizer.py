"""Keys that all training sections share."""

from dataclasses import dataclass
from typing import Literal

from avemotion.params.shared.common import Precision, probabilities


@dataclass(frozen=True, kw_only=True)
class OptimParams:
    """Keys of every training section."""

    batch_size: int  # clips
    accumulate: int  # batches per optimizer step
    lr: float  # of the heads
    weight_decay: float  # AdamW's, decoupled; 0 makes it Adam
    clip_norm: float  # largest gradient norm
    cosine: bool  # anneal each learning rate over a phase, to MIN_LR or, from a lower rate, to 0
    patience: int  # epochs without a better validation score before a phase ends
    precision: Precision

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        for name in ("lr", "clip_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}; give 0 or more")


@dataclass(frozen=True, kw_only=True)
class LossParams:
    """Section `loss` of a categorical model, for classes that differ in size."""

    class_weights: Literal["none", "inverse", "effective"]  # inverse: by clips; effective: Cui et al. 2019
    focal: float  # gamma of the focal loss; 0 = cross-entropy

    def __post_init__(self) -> None:
        if self.focal < 0:
            raise ValueError(f"focal is {self.focal}; give 0 (cross-entropy) or more")


@dataclass(frozen=True, kw_only=True)
class ClassifierParams(OptimParams):
    """Further keys of the sections of categorical models."""

    label_smoothing: float
    loss: LossParams
    sampling: Literal["shuffled", "balanced"]  # shuffled: each clip once an epoch; balanced: each class equally often

    def __post_init__(self) -> None:
        super().__post_init__()
        probabilities(self, "label_smoothing")
