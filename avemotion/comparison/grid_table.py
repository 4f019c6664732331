"""The table of an ablation as Markdown and as a data frame."""

import math

import pandas as pd

from avemotion.comparison.grid import Cell, Grid
from avemotion.scoring.headlines import HEADLINES
from avemotion.scoring.results import NAMES

DOMINANCE = "ccc_dominance"
NONE = "–"  # noqa: RUF001 (an empty cell, not a minus)


def as_markdown(grid: Grid, metrics: list[str]) -> str:
    """The table with a legend and the missing runs."""
    several = any(len(row.splits) > 1 for row in grid.rows)
    header = [*grid.columns, "seeds", *(["splits"] if several else []), *(HEADLINES[name] for name in metrics)]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for row in grid.rows:
        setting = [row.setting.get(column, NONE) for column in grid.columns]
        cells = [_cell(row.cells.get(name)) for name in metrics]
        counts = [str(len(row.seeds)), *([str(len(row.splits))] if several else [])]
        lines.append("| " + " | ".join([*setting, *counts, *cells]) + " |")
    over = "seeds and splits (the sd of each in brackets)" if several else "seeds"
    lines += [
        "",
        f"Mean ± sd over {over} [95 % interval of the mean, over {NAMES[grid.on]} clips resampled by speaker or "
        "dialogue].",
    ]
    if any(cell.p is not None for row in grid.rows for cell in row.cells.values()):
        lines[-1] += " p: two-sided, of the paired difference from the baseline, not corrected for the number of rows."
    if grid.on == "val":
        lines[-1] += (
            " For choosing: training chose its epochs on the same validation clips, so these scores are too good."
        )
    if grid.synthetic:
        lines[-1] += " Synthetic sample: not a result about real people."
    lines += [f"- {note}" for note in grid.notes]
    lines += [
        f"- {run.name} (seed {run.seed}{_params(grid, run.params)}) is missing: {run.fault}" for run in grid.failed
    ]
    return "\n".join(lines) + "\n"


def metrics(grid: Grid) -> list[str]:
    """The usual columns: all headlines, and that of dominance where a run predicts it."""
    scored = {name for row in grid.rows for name in row.cells}
    return [name for name in HEADLINES if name != DOMINANCE or name in scored]


def as_table(grid: Grid, metrics: list[str]) -> pd.DataFrame:
    """One line per setting, then one line per run without results, with the reason as `fault`."""
    lines = []
    for row in grid.rows:
        line: dict[str, object] = {column: row.setting.get(column) for column in grid.columns}
        line |= {"on": grid.on, "runs": row.runs, "seeds": " ".join(map(str, row.seeds))}
        line |= {"splits": " ".join("/".join(map(str, split)) for split in row.splits)}
        for name in metrics:
            cell = row.cells.get(name)
            parts = vars(cell) if cell else dict.fromkeys(Cell.__dataclass_fields__)
            line |= {name if part == "mean" else f"{name}_{part}": value for part, value in parts.items()}
        lines.append(line | {"fault": None})
    for run in grid.failed:
        params = {name: run.params.get(name) for name in grid.columns[1:]}
        lines.append(
            {
                "model": "fusion",
                **params,
                "on": grid.on,
                "runs": 0,
                "seeds": str(run.seed),
                "fault": f"{run.name}: {run.fault}",
            }
        )
    return pd.DataFrame(lines)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    text = f"{cell.mean:.3f}" + ("" if math.isnan(cell.sd) else f" ± {cell.sd:.3f}")
    if not math.isnan(cell.sd_splits):
        text += f" (seeds {cell.sd_seeds:.3f}, splits {cell.sd_splits:.3f})"
    text += f" [{cell.low:.3f}, {cell.high:.3f}]"
    if cell.p is None:
        return text
    return text + (", p < 0.001" if cell.p < 0.001 else f", p = {cell.p:.3f}")


def _params(grid: Grid, params: dict[str, str]) -> str:
    return "".join(f", {name}={params[name]}" for name in grid.columns[1:] if name in params)
