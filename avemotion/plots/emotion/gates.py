"""The share of audio in the fused embedding: gates.csv and gates.png."""

from pathlib import Path

import pandas as pd

from avemotion.plots.common import canvas
from avemotion.plots.common.strips import strips

NO_GATE = "no gate in this fusion mode"


def save(folder: Path, gates: pd.DataFrame, classes: list[str]) -> None:
    """gates: id, label, gate of every test clip (share of audio, 0 to 1); no rows if the mode has no gate."""
    if gates.empty:
        gates = pd.DataFrame(columns=["id", "label", "gate"])
    rows = gates.rename(columns={"id": "clip"})[["label", "clip", "gate"]]
    canvas.table(folder / "gates.csv", rows, NO_GATE)
    with canvas.picture(folder / "gates.png", 2.2 + 0.75 * len(classes), 3.6) as figure:
        axis = figure.subplots()
        groups = [gates["gate"][gates["label"] == name].to_numpy(float) for name in classes]
        strips(axis, groups, [canvas.BLUE] * len(groups), NO_GATE)
        axis.set_xticks(range(len(classes)), classes)
        axis.set_ylabel("gate: share of audio")
        axis.set_title("How much of each test clip's embedding is sound (bar: mean of the emotion)")
