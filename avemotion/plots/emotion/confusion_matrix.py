"""Confusion matrix of the test clips: confusion.csv and confusion.png."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.plots.common import canvas
from avemotion.scoring.metrics import confusion


def save(folder: Path, fusion: pd.DataFrame, classes: list[str], subtitle: str) -> None:
    """fusion: label and predicted of every test clip."""
    rows = pd.DataFrame({"actual": fusion["label"], "predicted": fusion["predicted"]})
    canvas.table(folder / "confusion.csv", rows, "no test clip")
    codes = [pd.Categorical(rows[name], classes).codes.astype(int) for name in rows]
    counts = confusion(*codes, len(classes))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = 2.2 + 0.55 * len(classes)
    with canvas.picture(folder / "confusion.png", size + 0.6, size) as figure:
        axis = figure.subplots()
        axis.grid(False)
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, k), count in np.ndenumerate(counts):
            colour = "white" if shares[i, k] > 0.55 else "black" if count else canvas.GREY
            axis.text(k, i, count, ha="center", va="center", color=colour)
        axis.set_xticks(range(len(classes)), classes, rotation=40, ha="right", rotation_mode="anchor")
        support = [f"{name} ({n})" for name, n in zip(classes, counts.sum(1), strict=True)]
        axis.set_yticks(range(len(classes)), support)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true (clips)")
        axis.set_title(subtitle)
        axis.spines[:].set_visible(False)
        figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
