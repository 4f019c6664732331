"""Section `baseline` and the other params of the stage baseline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.formats.targets import Target
from avemotion.params.shared.compute import ComputeParams
from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class EmotionBaseline:
    """Section `baseline.emotion`: candidates, of which validation chooses one."""

    models: list[Literal["linear_svm", "rbf_svm", "logistic"]]
    c: list[float]  # inverse strengths of regularisation

    def __post_init__(self) -> None:
        _check_candidates(self.models, self.c)


@dataclass(frozen=True, kw_only=True)
class AffectBaseline:
    """Section `baseline.affect`: candidates, of which validation chooses one for each target."""

    models: list[Literal["linear_svr", "rbf_svr", "ridge"]]
    c: list[float]

    def __post_init__(self) -> None:
        _check_candidates(self.models, self.c)


def _check_candidates(models: list, c: list[float]) -> None:
    for name, given in (("models", models), ("c", c)):
        if not given or len(set(given)) != len(given):
            raise ValueError(f"{name} is {given}; give one or more, each once")
    if min(c) <= 0:
        raise ValueError(f"c is {c}; give numbers above 0")


@dataclass(frozen=True, kw_only=True)
class BaselineParams:
    """Section `baseline`."""

    normalise: Literal["corpus", "speaker"]  # statistics of the training clips, or of each speaker's own clips
    emotion: EmotionBaseline
    affect: AffectBaseline


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    compute: ComputeParams
    baseline: BaselineParams
    targets: list[Target]  # va.targets


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        compute=params_file.read(file, "compute", ComputeParams),
        baseline=params_file.read(file, "baseline", BaselineParams),
        targets=params_file.read(file, "va.targets", list[Target]),
    )
