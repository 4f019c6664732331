"""One training: its seed, device and folder, and the files that it writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from avemotion.params.shared.compute import ComputeParams
from avemotion.system import runtime, tables
from avemotion.system.seeds import seed_for
from avemotion.training.common import checkpoint, folds
from avemotion.training.common.folds import Fold
from avemotion.training.common.live_curves import LiveCurves
from avemotion.training.common.resume import Resume


@dataclass(frozen=True, kw_only=True)
class Run:
    """The training of one model of a stage."""

    stage: str
    fold: Fold | None  # None where the corpus has train, val and test
    folder: Path  # of its outputs
    seed: int
    device: torch.device
    compute: ComputeParams

    @property
    def curves(self) -> LiveCurves:
        """Its training curves in progress."""
        return LiveCurves(self.stage, self.fold.name if self.fold else "", self.compute.tensorboard)

    @property
    def resume(self) -> Resume:
        """Its state after an epoch, beside the unfinished folder."""
        return Resume(self.folder.with_suffix(folds.EPOCH), self.device)

    def leave(self, model: nn.Module, facts: dict[str, Any], history: pd.DataFrame) -> None:
        """Write model.safetensors, model.json (the facts and the kind of device) and history.csv into the folder."""
        checkpoint.save(self.folder, model, facts | {"device": self.device.type})
        tables.write_results(self.folder / "history.csv", history)


def start(stage: str, seed: int, compute: ComputeParams, fold: Fold | None, folder: Path) -> Run:
    """Seed every generator and choose the device.

    Folds run in parallel, so each has its own seed and one thread.
    """
    threads = None
    if fold is not None:
        seed, threads = seed_for(seed, "fold", fold.test), 1
    device = runtime.setup(seed, compute, threads)
    return Run(stage=stage, fold=fold, folder=folder, seed=seed, device=device, compute=compute)
