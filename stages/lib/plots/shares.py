"""How much a model leaned on each input: gates.csv/png (fusion) and branches.csv/png (va)."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib.plots import canvas

OWN = {"valence": "prosody", "arousal": "speech"}  # the branch that a target weighs against the rest
NO_GATE = "no gate in this fusion mode"
NO_BRANCHES = "no branches in this model"


def save_gates(folder: Path, gates: pd.DataFrame, classes: list[str]) -> None:
    """gates: id, label, gate of every test clip (share of audio, 0 to 1); no rows where the mode has no gate."""
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


def save_branches(folder: Path, branches: pd.DataFrame, shown: list[str], folds: list[int]) -> None:
    """Args:
    branches: fold, id, <target>_own of every test turn; no rows where the model has none.
    shown: ids of the turns that go into the CSV.
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


def strips(axis, groups: list[np.ndarray], colours: list[str], note: str) -> None:
    """Every value as a dot beside the others of its group, with the mean as a bar."""
    for k, (values, colour) in enumerate(zip(groups, colours, strict=True)):
        if len(values):
            # Multiples of the golden ratio spread evenly, whatever their number, and are the same every time.
            spread = (np.arange(len(values)) * 0.618034 % 1 - 0.5) * 0.5
            axis.scatter(k + spread, np.sort(values), s=12, color=colour, alpha=0.6, linewidths=0)
            axis.hlines(values.mean(), k - 0.33, k + 0.33, color="black", linewidth=2)
    if not any(map(len, groups)):
        axis.text(0.5, 0.62, note, transform=axis.transAxes, ha="center", va="center", color=canvas.GREY)
    axis.axhline(0.5, color=canvas.GREY, linewidth=0.8, linestyle=":")
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlim(-0.6, len(groups) - 0.4)
    axis.grid(axis="x", visible=False)
