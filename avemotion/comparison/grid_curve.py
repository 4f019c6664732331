"""The table of an ablation as a picture: a score against one param, such as the number of training speakers."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from avemotion.comparison.grid import Cell, Grid
from avemotion.plots.common import canvas
from avemotion.scoring.headlines import HEADLINES
from avemotion.scoring.results import NAMES

ALL = "null"  # value of a number that stands for all there are; it is drawn last


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The rows that differ in the param alone, in its order."""

    label: str  # model and the other varied params
    values: list[str]  # of the param
    cells: list[Cell]


def curves(grid: Grid, param: str, metric: str) -> list[Curve]:
    """One curve for each model and setting of the other params.

    Raises:
        ValueError: the runs do not differ in the param, or a value of it is no number.
    """
    if param not in grid.columns:
        raise ValueError(f"--x is {param}, in which the runs do not differ; they differ in {_listed(grid)}")
    groups: dict[str, list[tuple[str, Cell]]] = {}
    for row in grid.rows:
        if param in row.setting and metric in row.cells:
            groups.setdefault(_label(row.setting, param), []).append((row.setting[param], row.cells[metric]))
    for value in {value for points in groups.values() for value, _ in points}:
        _number(value, param)
    ordered = {label: sorted(points, key=lambda point: _number(point[0], param)) for label, points in groups.items()}
    return [Curve(label=name, values=[v for v, _ in of], cells=[c for _, c in of]) for name, of in ordered.items()]


def save(file: Path, grid: Grid, param: str, metric: str) -> None:
    """Write a PNG with a line and its 95 % intervals for each curve.

    Raises:
        ValueError: as `curves`.
    """
    drawn = curves(grid, param, metric)
    ticks = sorted({value for curve in drawn for value in curve.values}, key=lambda value: _number(value, param))
    with canvas.picture(file, 6.4, 4.0) as figure:
        axis = figure.subplots()
        for i, (curve, colour) in enumerate(zip(drawn, cycle(canvas.COLOURS))):
            # Beside each other, so that intervals do not hide each other.
            places = [ticks.index(value) + 0.06 * (i - (len(drawn) - 1) / 2) for value in curve.values]
            means = [cell.mean for cell in curve.cells]
            below = [max(0.0, cell.mean - cell.low) for cell in curve.cells]
            above = [max(0.0, cell.high - cell.mean) for cell in curve.cells]
            axis.errorbar(places, means, yerr=[below, above], color=colour, label=curve.label, marker="o", capsize=3)
        axis.set_xticks(range(len(ticks)), ["all" if value == ALL else value for value in ticks])
        axis.set_xlabel(param)
        axis.set_ylabel(f"{HEADLINES[metric]} of {NAMES[grid.on]} clips")
        axis.set_title("Mean over runs, 95 % intervals over speakers" + " (synthetic sample)" * grid.synthetic)
        axis.legend(fontsize=7)


def _label(setting: Mapping[str, str], param: str) -> str:
    others = [f"{name}={value}" for name, value in setting.items() if name not in ("model", param)]
    return ", ".join([setting["model"], *others])


def _number(value: str, param: str) -> float:
    if value == ALL:
        return float("inf")
    try:
        return float(value)
    except ValueError as error:
        raise ValueError(f"--x is {param}, whose value {value} is no number; name a param with numbers") from error


def _listed(grid: Grid) -> str:
    return ", ".join(name for name in grid.columns if name != "model") or "none"
