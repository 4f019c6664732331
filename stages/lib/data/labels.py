"""labels.csv and corpus.json: what a role's clips mean, who speaks, and which split each is in."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from stages.lib.data import tables
from stages.lib.data.clips import FOLDER, REMEDY

COLUMNS = (
    *("id", "speaker", "gender", "emotion", "label", "intensity", "statement", "repetition"),
    *("valence", "arousal", "dominance", "dialogue", "turn", "start", "end", "text", "split"),
)
PER_FOLD = "per_fold"  # in the place of a split: the emotion role has the folds of the affect role
NUMBERS = ("valence", "arousal", "dominance", "turn", "start", "end")


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """corpus.json of a role."""

    corpus: str
    role: str
    synthetic: bool  # made by a program: scores say nothing about people
    classes: list[str]  # label names in class-index order
    scale: dict[str, list[float]] | None  # lowest and highest answer of valence, arousal, dominance
    split: str  # how the splits were drawn
    speaker_overlap: bool  # True: a speaker may be in several splits, so scores are too good
    clips: int
    speakers: int
    rejected: int  # rows of rejected.csv
    folds: list[int]  # the values of labels.split; none where these are train, val and test

    @property
    def per_fold(self) -> bool:
        """Of the emotion role: its models of fold k are for V/A fold k and know none of the speakers tested there."""
        return self.split == PER_FOLD


def write(role: str, rows: Iterable[dict], facts: CorpusFacts, folder: Path = FOLDER) -> None:
    """Write <folder>/<role>/labels.csv, sorted by id, and corpus.json."""
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("id").astype({"turn": "Int64"})
    tables.write_csv(folder / role / "labels.csv", table)
    tables.write_text(folder / role / "corpus.json", json.dumps(asdict(facts), indent=2, ensure_ascii=False) + "\n")


def read(role: str, folder: Path = FOLDER) -> pd.DataFrame:
    """The labels of a role, one row a clip, sorted by id.

    valence, arousal, dominance, start, end: float64 with NaN for missing; turn: Int64 with NA;
    the other columns: str, with None for missing. split is train, val, test or the fold as text.

    Raises:
        ValueError: labels.csv is missing or not of the expected form.
    """
    table = tables.read_csv(folder / role / "labels.csv", COLUMNS, NUMBERS, REMEDY)
    return table.astype({"turn": "Int64"})


def read_facts(role: str, folder: Path = FOLDER) -> CorpusFacts:
    """corpus.json of a role.

    Raises:
        ValueError: the file is missing or not of the expected form.
    """
    file = folder / role / "corpus.json"
    if not file.is_file():
        raise ValueError(f"{file}: no such file; {REMEDY}")
    try:
        return CorpusFacts(**json.loads(file.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: not of the expected form ({error}); {REMEDY}") from error
