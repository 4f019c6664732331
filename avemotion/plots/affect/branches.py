"""Weight of each target's own branch: branches.csv and branches.png."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.plots.common import canvas
from avemotion.plots.common.strips import strips

OWN = {
    "valence": "prosody",
    "arousal": "speech",
}  # the branch that the model weighs against the rest, by target
NO_BRANCHES = "no branches in this model"


def save(folder: Path, branches: pd.DataFrame, shown: list[str], folds: list[int]) -> None:
    """Write branches.csv and branches.png.

    Args:
        branches: fold, id, <target>_own of every test turn; no rows if the model has no branches.
        shown: ids of the turns in the CSV.
    """
    parts = [
        branches.assign(target=target, branch=own, weight=branches[f"{target}_own"]) for target, own in OWN.items()
    ]
    rows = pd.concat(parts, ignore_index=True).rename(columns={"id": "clip"})
    rows = rows[["target", "branch", "fold", "clip", "weight"]]
    canvas.table(folder / "branches.csv", rows[rows["clip"].isin(shown)], NO_BRANCHES)
    with canvas.picture(folder / "branches.png", 2.2 + 1.3 * len(folds), 3.6) as figure:
        axis = figure.subplots()
        colours = dict(zip(OWN, canvas.COLOURS, strict=False))
        groups = [(fold, target) for fold in folds for target in OWN]
        weights = [rows["weight"][(rows["fold"] == f) & (rows["target"] == t)].to_numpy(float) for f, t in groups]
        strips(axis, weights, [colours[target] for _, target in groups], NO_BRANCHES)
        axis.set_xticks(np.arange(len(folds)) * 2 + 0.5, [f"fold {fold}" for fold in folds])
        for target, own in OWN.items():
            axis.scatter([], [], color=colours[target], label=f"{target}: {own}")
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.set_ylabel("weight of the own branch")
        axis.set_title("Each target weighs its own branch against the rest (bar: mean of the test turns)")
