"""Weight of each target's own branch: branches.csv and branches.png."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.formats.targets import OWN
from avemotion.plots.common import canvas
from avemotion.plots.common.strips import strips

NO_BRANCHES = "no branches in this model"


def save(folder: Path, branches: pd.DataFrame, targets: list[str], shown: list[str], folds: list[int]) -> None:
    """Write branches.csv and branches.png.

    Args:
        branches: fold, id, <target>_own of every test turn; no rows if the model has no branches.
        targets: of the models.
        shown: ids of the turns in the CSV.
    """
    parts = [branches.assign(target=target, branch=OWN[target], weight=branches[f"{target}_own"]) for target in targets]
    rows = pd.concat(parts, ignore_index=True).rename(columns={"id": "clip"})
    rows = rows[["target", "branch", "fold", "clip", "weight"]]
    canvas.table(folder / "branches.csv", rows[rows["clip"].isin(shown)], NO_BRANCHES)
    with canvas.picture(folder / "branches.png", 2.2 + 1.3 * len(folds), 3.6) as figure:
        axis = figure.subplots()
        colours = dict(zip(targets, canvas.COLOURS, strict=False))
        groups = [(fold, target) for fold in folds for target in targets]
        weights = [rows["weight"][(rows["fold"] == f) & (rows["target"] == t)].to_numpy(float) for f, t in groups]
        strips(axis, weights, [colours[target] for _, target in groups], NO_BRANCHES)
        axis.set_xticks(
            np.arange(len(folds)) * len(targets) + (len(targets) - 1) / 2, [f"fold {fold}" for fold in folds]
        )
        for target in targets:
            axis.scatter([], [], color=colours[target], label=f"{target}: {OWN[target]}")
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.set_ylabel("weight of the own branch")
        axis.set_title("Each target weighs its own branch against the rest (bar: mean of the test turns)")
