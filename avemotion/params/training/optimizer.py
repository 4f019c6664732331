"""Keys that all training sections share."""

from dataclasses import dataclass

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
class ClassifierParams(OptimParams):
    """Further keys of the sections of categorical models."""

    label_smoothing: float

    def __post_init__(self) -> None:
        super().__post_init__()
        probabilities(self, "label_smoothing")
