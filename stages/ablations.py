"""Collect runs of a grid of params and seeds into one table, as Markdown or CSV.

    dvc exp run --queue -S 'fusion.mode=concat,gated,xattn' -S 'seed=range(1,4)'
    dvc queue start                                    # or, in this terminal: dvc exp run --run-all
    python -m stages.ablations --baseline fusion.mode=concat --out ablations/fusion.md

Each row is a setting of the params in which the runs differ; scores are means over seeds of the saved predictions on
the test clips, with intervals and p values by bootstrap over speakers (emotion) or dialogues (valence, arousal).
Tables in ablations/ are shown in plots/report.html from the next `dvc repro evaluate` on.
"""

import argparse
import math
import tempfile
from pathlib import Path

import pandas as pd

from stages.lib import cli
from stages.lib.data import tables
from stages.lib.scoring import grid, report, runs
from stages.lib.scoring.grid import Cell, Grid

NAMES = dict(zip(report.HEADLINES, ("accuracy", "UAR", "macro-F1", "CCC valence", "CCC arousal"), strict=True))
NONE = "–"  # noqa: RUF001 (an empty cell, not a minus)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="*", help="experiments, branches or commits (default: all experiments)")
    parser.add_argument("--folders", nargs="+", type=Path, metavar="DIR", help="project folders in place of DVC's runs")
    parser.add_argument("--commits", type=int, default=1, help="take experiments of so many last commits (default: 1)")
    parser.add_argument("--by", nargs="+", metavar="PARAM", help="params that make a row (default: all that differ)")
    parser.add_argument("--metric", nargs="+", choices=NAMES, default=list(NAMES), help="columns (default: all)")
    parser.add_argument(
        "--baseline", nargs="+", metavar="PARAM=VALUE", help="setting that the others are compared with"
    )
    parser.add_argument("--draws", type=int, default=2000, help="of the bootstrap (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument("--out", type=Path, help="table.md or table.csv (default: Markdown to the terminal)")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.out and options.out.suffix not in (".md", ".csv"):
        raise ValueError(f"--out is {options.out}; name a file that ends in .md or .csv")
    if options.folders and options.revisions:
        raise ValueError("give revisions or --folders, not both")
    with tempfile.TemporaryDirectory() as scratch:
        if options.folders:
            found = [runs.folder(folder) for folder in options.folders]
        elif options.revisions:
            found = [runs.revision(name, Path(scratch) / str(i)) for i, name in enumerate(options.revisions)]
        else:
            found = runs.experiments(options.commits, Path(scratch))
    by = options.by or runs.varied([run for run in found if run.models])
    made = grid.build(found, by, _baseline(options.baseline), options.draws, options.seed)
    if options.out and options.out.suffix == ".csv":
        tables.write_results(options.out, as_table(made, options.metric))
    elif options.out:
        tables.write_text(options.out, as_markdown(made, options.metric))
    else:
        print(as_markdown(made, options.metric), end="")


def _baseline(given: list[str] | None) -> dict[str, str] | None:
    wrong = [item for item in given or [] if "=" not in item]
    if wrong:
        raise ValueError(f"--baseline is {wrong[0]}; write it as fusion.mode=concat")
    return dict(item.split("=", 1) for item in given) if given else None


def as_markdown(made: Grid, metrics: list[str]) -> str:
    """The table, what its numbers are, and the runs that are missing from it."""
    header = [*made.columns, "seeds", *(NAMES[name] for name in metrics)]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for row in made.rows:
        setting = [row.setting.get(column, NONE) for column in made.columns]
        cells = [_cell(row.cells.get(name)) for name in metrics]
        lines.append("| " + " | ".join([*setting, str(len(row.seeds)), *cells]) + " |")
    lines += ["", "Mean ± sd over seeds [95 % interval of the mean, over test clips resampled by speaker or dialogue]."]
    if any(cell.p is not None for row in made.rows for cell in row.cells.values()):
        lines[-1] += " p: two-sided, of the paired difference from the baseline, not corrected for the number of rows."
    if made.synthetic:
        lines[-1] += " Synthetic sample: this says nothing about people."
    lines += [f"- {note}" for note in made.notes]
    lines += [
        f"- {run.name} (seed {run.seed}{_params(made, run.params)}) is missing: {run.fault}" for run in made.failed
    ]
    return "\n".join(lines) + "\n"


def as_table(made: Grid, metrics: list[str]) -> pd.DataFrame:
    """One line a setting, then one line a run without results with the reason as `fault`."""
    lines = []
    for row in made.rows:
        line: dict[str, object] = {column: row.setting.get(column) for column in made.columns}
        line |= {"runs": len(row.seeds), "seeds": " ".join(map(str, row.seeds))}
        for name in metrics:
            cell = row.cells.get(name)
            parts = vars(cell) if cell else dict.fromkeys(Cell.__dataclass_fields__)
            line |= {name if part == "mean" else f"{name}_{part}": value for part, value in parts.items()}
        lines.append(line | {"fault": None})
    for run in made.failed:
        params = {name: run.params.get(name) for name in made.columns[1:]}
        lines.append(
            {"model": "fusion", **params, "runs": 0, "seeds": str(run.seed), "fault": f"{run.name}: {run.fault}"}
        )
    return pd.DataFrame(lines)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    text = f"{cell.mean:.3f}" + ("" if math.isnan(cell.sd) else f" ± {cell.sd:.3f}")
    text += f" [{cell.low:.3f}, {cell.high:.3f}]"
    if cell.p is None:
        return text
    return text + (", p < 0.001" if cell.p < 0.001 else f", p = {cell.p:.3f}")


def _params(made: Grid, params: dict[str, str]) -> str:
    return "".join(f", {name}={params[name]}" for name in made.columns[1:] if name in params)


if __name__ == "__main__":
    cli.run(main)
