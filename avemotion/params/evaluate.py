"""Section `evaluate`: sizes of the bootstrap and of the pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class EvaluateParams:
    """Section `evaluate`."""

    draws: int  # of the bootstrap for each interval
    clips: int  # test clips and test turns in the attention pictures, from best to worst
    turns: int  # test turns with an arrow in the valence-arousal plane
    # emotion logits minus their mean over the speaker's own clips, or also over their deviation
    speaker_logits: Literal["none", "mean", "mean_std"]

    def __post_init__(self) -> None:
        if self.draws < 100:
            raise ValueError(f"draws is {self.draws}; give 100 or more: the bounds are the outer 2.5 % of the draws")
        if not 1 <= self.clips <= 9:
            raise ValueError(f"clips is {self.clips}; give 1 to 9")
        if self.turns < 1:
            raise ValueError(f"turns is {self.turns}; give 1 or more")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of the stages evaluate and report."""

    seed: int
    evaluate: EvaluateParams


def configure(file: Path) -> Config:
    """Read and check the params of the stages evaluate and report."""
    return Config(
        seed=params_file.read(file, "seed", int),
        evaluate=params_file.read(file, "evaluate", EvaluateParams),
    )
