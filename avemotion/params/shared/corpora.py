"""Section `corpora`: the corpus of each role and its folder."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.system import params_file

ROLES = ("emotion", "affect")
FACES = "faces"  # the optional role of still pictures, on which only pretrain_face trains


@dataclass(frozen=True, kw_only=True)
class Place:
    """Section corpora.<role>. Without a name the role has no corpus, and its stages do nothing."""

    name: str | None  # of a file in avemotion/corpora
    root: str  # folder of the corpus, within the project or outside


def place(file: Path, role: str) -> Place | None:
    """The corpus of a role; None where it has none (null, or a section whose name is null)."""
    corpus: Place | None = params_file.read(file, f"corpora.{role}", Place | None)
    return None if corpus is None or corpus.name is None else corpus
