"""Section `corpora.transfer`: other corpora that the models of this run are scored on, without training."""

import re
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any

from avemotion.params.evaluate import EvaluateParams
from avemotion.params.manifest import Labels, check_mapping
from avemotion.params.shared.compute import ComputeParams
from avemotion.parsing import registry
from avemotion.system import params_file

KEY = "corpora.transfer"
KEYS = ("name", "root", "labels", "options")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Section corpora.transfer.<title>."""

    name: str  # of a file in avemotion/corpora
    root: str  # folder of the corpus, within the project or outside
    labels: Labels  # as manifest.emotion.labels: the run's classes from the corpus's categories
    options: Any  # of the parser, in the form of manifest.<name>; None where it has none

    def __post_init__(self) -> None:
        if not isinstance(self.labels, str):
            check_mapping(self.labels)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    title: str  # of the target: its key in corpora.transfer
    target: Target
    max_rejected: float  # largest share of damaged clips
    evaluate: EvaluateParams
    seed: int
    compute: ComputeParams = field(repr=False)

    @property
    def key(self) -> str:
        """Place of the target in the params."""
        return f"{KEY}.{self.title}"


def titles(file: Path) -> list[str]:
    """The targets, in the order of the params.

    Raises:
        ValueError: a title that is not usable as a file name.
    """
    found = list(params_file.read(file, KEY, dict[str, dict]))
    for title in found:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", title):
            raise ValueError(
                f"{file}: {KEY} has {title!r}, which names files; write it in letters, digits, _ and - "
                "(docs/transfer.md)"
            )
    return found


def _target(file: Path, title: str) -> Target:
    """One target.

    Raises:
        ValueError: no such title, no such corpus, or options that the parser does not take.
    """
    key = f"{KEY}.{title}"
    entry = params_file.read(file, key, dict)  # of this target alone: the stage does not depend on the others
    if set(entry) != set(KEYS):
        given = ", ".join(sorted(map(str, entry)))
        raise ValueError(f"{file}: {key} has the keys {given}; it takes {', '.join(KEYS)} (docs/transfer.md)")
    if (name := entry["name"]) not in (names := registry.names()):
        raise ValueError(f"{file}: {key}.name is {name!r}; choose one of {', '.join(names)}")
    options = registry.corpus(name).params
    if options is not None and entry["options"] is None:
        taken = ", ".join(of.name for of in fields(options))
        raise ValueError(f"{file}: {key}.options is null, but {name} takes {taken}; write them as in manifest.{name}")
    section = make_dataclass(
        "TargetSection",
        [("options", type(None) if options is None else options)],
        bases=(Target,),
        frozen=True,
        kw_only=True,
    )
    return params_file.read(file, key, section)


def configure(file: Path, title: str) -> Config:
    """Read and check the params of the stage for one target."""
    return Config(
        title=title,
        target=_target(file, title),
        max_rejected=params_file.read(file, "manifest.max_rejected", float),
        evaluate=params_file.read(file, "evaluate", EvaluateParams),
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
    )


def configure_all(file: Path) -> dict[str, Config]:
    """All targets by title, as the stage check reads them."""
    return {title: configure(file, title) for title in titles(file)}
