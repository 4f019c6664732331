"""Section `sample`: sizes of the embedded synthetic corpus."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.params.shared.compute import ComputeParams
from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class RavdessParams:
    """Section `sample.ravdess`. Sizes only: any size gives a complete layout."""

    actors: list[int]  # ids; odd = male, even = female
    repetitions: int
    trials: Literal["balanced", "all"]  # balanced: the statements alternate between the two intensities
    width: int  # pixels
    height: int  # pixels
    fps: float

    def __post_init__(self) -> None:
        if not self.actors or min(self.actors) < 1 or max(self.actors) > 99 or len(set(self.actors)) < len(self.actors):
            raise ValueError(f"actors is {self.actors}; list different ids between 1 and 99")
        if not 1 <= self.repetitions <= 99:
            raise ValueError(f"repetitions is {self.repetitions}; choose 1 to 99 (the file name has two digits)")
        for name in ("width", "height"):
            if (value := getattr(self, name)) < 64 or value % 2:
                raise ValueError(f"{name} is {value}; choose an even number of pixels, 64 or more")
        if not 1 <= self.fps <= 60:
            raise ValueError(f"fps is {self.fps}; choose 1 to 60")


@dataclass(frozen=True, kw_only=True)
class IemocapParams:
    """Section `sample.iemocap`. Sizes only; the number of sessions, which are the folds, is always five."""

    dialogues: int  # per session
    turns: int  # per dialogue
    width: int  # pixels, of both halves
    height: int  # pixels, half of them black
    fps: float

    def __post_init__(self) -> None:
        if self.dialogues < 1:
            raise ValueError(f"dialogues is {self.dialogues}; choose 1 or more per session")
        if not 2 <= self.turns <= 999:
            raise ValueError(f"turns is {self.turns}; choose 2 to 999 per dialogue")
        if self.width < 128 or self.width % 4:
            raise ValueError(f"width is {self.width}; choose a multiple of 4 pixels, 128 or more")
        if self.height < 96 or self.height % 2:
            raise ValueError(f"height is {self.height}; choose an even number of pixels, 96 or more")
        if not 1 <= self.fps <= 60:
            raise ValueError(f"fps is {self.fps}; choose 1 to 60")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    corpora: dict[str, RavdessParams | IemocapParams]  # by name
    compute: ComputeParams


def configure(file: Path, names: list[str]) -> Config:
    """Read and check the params of the named corpora."""
    corpora: dict[str, RavdessParams | IemocapParams] = {}
    if "ravdess" in names:
        corpora["ravdess"] = params_file.read(file, "sample.ravdess", RavdessParams)
    if "iemocap" in names:
        corpora["iemocap"] = params_file.read(file, "sample.iemocap", IemocapParams)
    return Config(
        seed=params_file.read(file, "sample.seed", int),
        corpora=corpora,
        compute=params_file.read(file, "compute", ComputeParams),
    )
