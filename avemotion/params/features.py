"""The params of the stage features: of one kind of feature of one role."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.params.shared.compute import ComputeParams
from avemotion.params.shared.corpora import FACES, ROLES, place
from avemotion.system import params_file, plugins

if TYPE_CHECKING:
    from avemotion.extraction.extraction import Extractor

PACKAGE = "avemotion.features"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    extractor: "Extractor"
    role: str
    root: Path | None  # of the corpus; None = the role has no corpus
    compute: ComputeParams
    max_rejected: float  # changes no extracted byte, only whether the stage stops

    @property
    def idle(self) -> str | None:
        """Why there is nothing to extract; None where there is."""
        if self.root is None:
            return f"corpora.{self.role} names no corpus"
        return getattr(self.extractor, "idle", None)


def kinds() -> tuple[str, ...]:
    """Names of all features."""
    return plugins.names(PACKAGE)


def roles(kind: str) -> tuple[str, ...]:
    """The roles whose clips have a kind of feature: of the role faces there are frames alone."""
    return (*ROLES, FACES) if kind == "frames" else ROLES


def configure_more(file: Path) -> list[str]:
    """The kinds of feature that dvc.yaml extracts besides those that the models take.

    Raises:
        ValueError: a kind without a file in avemotion/features.
    """
    more = params_file.read(file, "more_features", list[str])
    if unknown := sorted(set(more) - set(kinds())):
        raise ValueError(
            f"{file}: more_features names {', '.join(unknown)}, but avemotion/features has {', '.join(kinds())}"
        )
    return more


def configure(file: Path, kind: str, role: str) -> Config:
    """Read and check the params of one kind of feature of one role, and the folder of its corpus."""
    corpus = place(file, role)
    return Config(
        extractor=plugins.load(PACKAGE, kind).configure(file, role),  # loads the code of this kind only
        role=role,
        root=None if corpus is None else Path(corpus.root),
        compute=params_file.read(file, "compute", ComputeParams),
        max_rejected=params_file.read(file, "manifest.max_rejected", float),
    )
