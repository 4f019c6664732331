"""Training histories as curves. data/live/<stage>.csv has those of a training in progress:

    dvc plots show data/live/fusion.csv -x epoch -y value --template training

No stage declares that folder as an out, because DVC deletes the outs of a stage before it runs. With
compute.tensorboard the same curves are in data/live/tensorboard/<stage>: `tensorboard --logdir data/live/tensorboard`.
"""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from avemotion.system import tables

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = Path("data/live")
TENSORBOARD = "tensorboard"  # folder below
SERIES = {"train_loss": "training loss", "val_loss": "validation loss", "val_score": "validation score"}


class LiveCurves:
    """The curves of one training in progress; each fold (such as fold_1) has its own, because folds run in parallel."""

    def __init__(self, stage: str, fold: str = "", tensorboard: bool = False):
        """Removes TensorBoard's curves of an earlier training.

        Raises:
            ValueError: tensorboard is true, but that package is not installed.
        """
        self.stage, self.fold = stage, fold
        self.name = f"{stage}_{fold}" if fold else stage
        self.file = FOLDER / f"{self.name}.csv"
        self.events: SummaryWriter | None = _events(FOLDER / TENSORBOARD / self.name) if tensorboard else None

    def write(self, history: pd.DataFrame) -> None:
        """Write the history so far, whose last row is new. A write error does not stop the training."""
        fold = self.fold.removeprefix("fold_")
        try:
            tables.write_results(self.file, as_curves(history.assign(stage=self.stage, fold=fold)))
            if self.events is not None:
                last = history.iloc[-1]
                for column in (*SERIES, "learning_rate"):
                    self.events.add_scalar(column, last[column], last["epoch"])
                self.events.flush()
        except OSError as error:
            print(f"{self.file}: {error.strerror}; training continues without these curves", file=sys.stderr)


def as_curves(histories: pd.DataFrame) -> pd.DataFrame:
    """stage, fold, phase, epoch and the columns of SERIES -> one row per point: series and value instead of SERIES."""
    rows = histories.melt(["stage", "fold", "phase", "epoch"], list(SERIES), "series", "value")
    return rows.assign(series=rows["series"].map(SERIES), epoch=rows["epoch"].astype(int))


def _events(folder: Path) -> "SummaryWriter":
    """A writer of TensorBoard's event files in an empty folder."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            f"compute.tensorboard is true, but {error}; run `uv sync --extra tensorboard`, or set it to false"
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    return SummaryWriter(folder)
