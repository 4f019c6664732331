"""CCC of each target per fold and over all folds, with intervals: folds.csv and folds.png."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.plots.common import canvas

POOLED = "all"


def save(folder: Path, rows: pd.DataFrame, subtitle: str) -> None:
    """rows: fold (POOLED = all folds together), target, ccc, low, high (NaN = no interval)."""
    canvas.table(folder / "folds.csv", rows, "no fold")
    names, targets = (list(dict.fromkeys(rows[column])) for column in ("fold", "target"))
    thinner = 2 / len(targets)  # the widths below are those of two bars a fold
    with canvas.picture(folder / "folds.png", 1.8 + 0.95 * len(names), 3.6) as figure:
        axis = figure.subplots()
        for k, (target, part) in enumerate(rows.groupby("target", sort=False)):
            at = np.arange(len(names)) + (k - (len(targets) - 1) / 2) * 0.38 * thinner
            values = part.set_index("fold").loc[names]
            axis.bar(at, values.ccc, 0.34 * thinner, color=canvas.COLOURS[k], label=target)
            axis.vlines(at, values.low, values.high, color="black", linewidth=1)
            axis.plot([at, at], [values.low, values.high], "_", color="black", markersize=6)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.axvline(len(names) - 1.5, color=canvas.GREY, linewidth=0.8, linestyle=":")
        axis.set_xticks(range(len(names)), [name if name == POOLED else f"fold {name}" for name in names])
        axis.grid(axis="x", visible=False)
        axis.set_ylabel("CCC on the test turns")
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.set_title(subtitle)
