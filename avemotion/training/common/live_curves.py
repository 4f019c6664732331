"""Training histories as curves. data/live/<stage>.csv has those of a training in progress:

    dvc plots show data/live/fusion.csv -x epoch -y value --template training

No stage declares that folder as an out, because DVC deletes the outs of a stage before it runs.
"""

import sys
from pathlib import Path

import pandas as pd

from avemotion.system import tables

FOLDER = Path("data/live")
SERIES = {"train_loss": "training loss", "val_loss": "validation loss", "val_score": "validation score"}


def path(stage: str, fold: str = "") -> Path:
    """The file of a stage's curves; each fold (such as fold_1) has its own, because folds run in parallel."""
    return FOLDER / (f"{stage}_{fold}.csv" if fold else f"{stage}.csv")


def write(file: Path, history: pd.DataFrame) -> None:
    """Write the history so far as curves; file is a result of `path`. A write error does not stop the training."""
    stage, _, fold = file.stem.partition("_fold_")
    try:
        tables.write_results(file, as_curves(history.assign(stage=stage, fold=fold)))
    except OSError as error:
        print(f"{file}: {error.strerror}; training continues without these curves", file=sys.stderr)


def as_curves(histories: pd.DataFrame) -> pd.DataFrame:
    """stage, fold, phase, epoch and the columns of SERIES -> one row per point: series and value instead of SERIES."""
    rows = histories.melt(["stage", "fold", "phase", "epoch"], list(SERIES), "series", "value")
    return rows.assign(series=rows["series"].map(SERIES), epoch=rows["epoch"].astype(int))
