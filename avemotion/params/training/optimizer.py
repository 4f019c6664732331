"""Keys that all training sections share."""

from dataclasses import dataclass
from typing import Literal

from avemotion.params.shared.common import Precision, probabilities


@dataclass(frozen=True, kw_only=True)
class OptimParams:
    """Keys of every training section."""

    batch_size: int  # clips
    accumulate: int  # batches per optimizer step
    optimizer: Literal["adamw", "adam", "sgd"]  # sgd: with Nesterov's momentum of 0.9
    lr: float  # of the heads
    weight_decay: float  # of adamw decoupled from the gradient; of adam and sgd an L2 penalty
    decay_all: bool  # False: only weights with two or more dimensions decay, no bias and no weight of a normalisation
    clip_norm: float | None  # largest gradient norm; null = no clipping
    cosine: bool  # anneal each learning rate over a phase to MIN_LR; a rate at or below it stays constant
    warmup: float  # share of a phase in which each rate rises from a 25th of it, before any annealing
    ema: float  # decay of the moving average of the weights; training evaluates and keeps the average; 0 = none
    select: Literal["best", "last"]  # epoch whose weights are kept: that of the best validation score, or the last
    patience: int  # epochs without a better validation score before a phase ends, for select best
    precision: Precision

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.lr <= 0:
            raise ValueError(f"lr is {self.lr}; give a number above 0")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"clip_norm is {self.clip_norm}; give a number above 0, or null for no clipping")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}; give 0 or more")
        for name in ("warmup", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 to less than 1")

    def unused(self, section: str) -> dict[str, str]:
        """Keys of this section that its other keys leave without effect: key -> reason."""
        reasons = {}
        if self.select == "last":
            reasons[f"{section}.patience"] = f"{section}.select is last: no phase ends early"
        if not self.weight_decay:
            reasons[f"{section}.decay_all"] = f"{section}.weight_decay is 0"
        return reasons


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
    # shuffled: each clip once an epoch; balanced: each class equally often; by_length: shuffled, but the clips of a
    # batch have nearly the same number of audio steps
    sampling: Literal["shuffled", "balanced", "by_length"]
    mixup: float  # both parameters of the Beta distribution of a batch's mixing share (Zhang et al. 2018); 0 = none

    def __post_init__(self) -> None:
        super().__post_init__()
        probabilities(self, "label_smoothing")
        if self.mixup < 0:
            raise ValueError(f"mixup is {self.mixup}; give 0 (none) or more")
