"""Training histories as curves, and those of a training that is still running: data/live/<stage>.csv.

    dvc plots show data/live/fusion.csv -x epoch -y value --template training

That folder belongs to no stage: DVC deletes a stage's outs when it begins.
"""

import sys
from pathlib import Path

import pandas as pd

from avemotion.system import tables

FOLDER = Path("data/live")
SERIES = {"train_loss": "training loss", "val_loss": "validation loss", "val_score": "validation score"}


def path(stage: str, fold: str = "") -> Path:
    """Each fold (such as fold_1) has a file of its own, as folds run side by side."""
    return FOLDER / (f"{stage}_{fold}.csv" if fold else f"{stage}.csv")


def write(file: Path, history: pd.DataFrame) -> None:
    """The history so far, as curves; file is one that `path` names. Training goes on where it cannot be written."""
    stage, _, fold = file.stem.partition("_fold_")
    try:
        tables.write_results(file, as_curves(history.assign(stage=stage, fold=fold)))
    except OSError as error:
        print(f"{file}: {error.strerror}; training goes on without these curves", file=sys.stderr)


def as_curves(histories: pd.DataFrame) -> pd.DataFrame:
    """stage, fold, phase, epoch and the columns of SERIES -> the same with a row a point: its series and value."""
    rows = histories.melt(["stage", "fold", "phase", "epoch"], list(SERIES), "series", "value")
    return rows.assign(series=rows["series"].map(SERIES), epoch=rows["epoch"].astype(int))
