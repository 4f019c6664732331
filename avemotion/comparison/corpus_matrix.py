"""Training corpora x test corpora: one model of several runs on its own test clips and on other corpora."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from avemotion.comparison import compared_models, revisions
from avemotion.scoring import results, summaries
from avemotion.system.params_file import content
from avemotion.transfer import corpus_intervals

OWN = "own test"  # the column of the run's own test clips
SCORES = {"uar": "UAR", "accuracy": "accuracy", "macro_f1": "macro-F1"}
NONE = "–"  # noqa: RUF001 (an empty cell, not a minus)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A score with its 95 % interval, over a number of classes and clips."""

    value: float
    low: float
    high: float
    classes: int
    clips: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run."""

    name: str
    corpus: str  # that trained the model, with its folder where the params name one
    cells: dict[str, Cell]  # by column
    synthetic: bool


def of_revision(name: str, model: str, score: str, draws: int, scratch: Path) -> Row:
    """The row of a revision, the workspace or an experiment.

    Args:
        scratch: an empty folder for its predictions.

    Raises:
        ValueError: there is no such revision, or it has no such model.
    """
    root = revisions.fetch(name, scratch, [model])
    revisions.fetch_transfer(name, scratch)
    if name != revisions.WORKSPACE:
        (root / "params.yaml").write_text(revisions.read_text(name, Path("params.yaml")), encoding="utf-8")
    return of_folder(root, name, model, score, draws)


def of_folder(root: Path, name: str, model: str, score: str, draws: int) -> Row:
    """The row of a project folder with params.yaml, data/manifest, data/models and metrics/transfer.

    Raises:
        ValueError: it has no such model, or a file is damaged.
    """
    role = compared_models.role(model)
    facts, known = results.read_manifest(role, root)
    if facts.absent:
        raise ValueError(f"{name} has no {model}: its corpora.{role} names no corpus")
    table = results.classified(model, facts, known, root)
    own = summaries.emotion_sums(table, facts.classes).estimate()[score]
    params = content(root / "params.yaml")
    low, high = corpus_intervals.bounds(table, facts.classes, draws, params["seed"])[score]
    cells = {OWN: Cell(value=own, low=low, high=high, classes=table["label"].nunique(), clips=len(table))}
    synthetic = facts.synthetic
    for file in sorted((root / revisions.TRANSFER).glob("*.json")):
        scores = summaries.read(file)
        if model in scores:
            of = scores[model]
            bounds = {side: of[f"{score}_{side}"] for side in ("low", "high")}
            cells[file.stem] = Cell(value=of[score], classes=of["classes"], clips=of["clips"], **bounds)
            synthetic |= scores["synthetic"]
    corpus = f"{facts.corpus} ({params['corpora'][role]['root']})"
    return Row(name=name, corpus=corpus, cells=cells, synthetic=synthetic)


def columns(rows: Sequence[Row]) -> list[str]:
    """The own test clips, then all targets by name."""
    return [OWN, *sorted({name for row in rows for name in row.cells} - {OWN})]


def as_markdown(rows: Sequence[Row], model: str, score: str) -> str:
    """One line a run, with a legend."""
    names = columns(rows)
    header = ["run", "trained on", *names]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += [
        "| " + " | ".join([row.name, row.corpus, *(_cell(row.cells.get(name)) for name in names)]) + " |"
        for row in rows
    ]
    legend = (
        f"{SCORES[score]} of {model} [95 % interval over speakers, or over clips without speakers], number of classes "
        "that model and corpus share; the prediction is the most probable of these."
    )
    legend += " Synthetic sample: not a result about real people." * any(row.synthetic for row in rows)
    return "\n".join([*lines, "", legend]) + "\n"


def as_table(rows: Sequence[Row], model: str, score: str) -> pd.DataFrame:
    """One line for each run and test corpus."""
    lines = [
        {"run": row.name, "trained_on": row.corpus, "tested_on": name, "model": model, "score": score, **vars(cell)}
        for row in rows
        for name, cell in row.cells.items()
    ]
    return pd.DataFrame(lines)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    return f"{cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}], {cell.classes}"
