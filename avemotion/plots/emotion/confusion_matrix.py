"""Confusion matrix of test clips or test pictures: <name>.csv and <name>.png."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.plots.common import canvas
from avemotion.scoring.metrics import confusion


def save(
    folder: Path, test: pd.DataFrame, classes: list[str], subtitle: str, name: str = "confusion", unit: str = "clips"
) -> None:
    """test: label and predicted of every test clip. unit: what a row is, in the plural."""
    rows = pd.DataFrame({"actual": test["label"], "predicted": test["predicted"]})
    canvas.table(folder / f"{name}.csv", rows, "no test clip")
    codes = [pd.Categorical(rows[column], classes).codes.astype(int) for column in rows]
    counts = confusion(*codes, len(classes))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = 2.2 + 0.55 * len(classes)
    with canvas.picture(folder / f"{name}.png", size + 0.6, size) as figure:
        axis = figure.subplots()
        axis.grid(False)
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, k), count in np.ndenumerate(counts):
            colour = "white" if shares[i, k] > 0.55 else "black" if count else canvas.GREY
            axis.text(k, i, count, ha="center", va="center", color=colour)
        axis.set_xticks(range(len(classes)), classes, rotation=40, ha="right", rotation_mode="anchor")
        support = [f"{label} ({n})" for label, n in zip(classes, counts.sum(1), strict=True)]
        axis.set_yticks(range(len(classes)), support)
        axis.set_xlabel("predicted")
        axis.set_ylabel(f"true ({unit})")
        axis.set_title(subtitle)
        axis.spines[:].set_visible(False)
        figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
