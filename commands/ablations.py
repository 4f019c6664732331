"""Collects runs of a grid of params and seeds into one table, as Markdown or CSV.

    dvc exp run --queue -S 'fusion.mode=concat,gated,xattn' -S 'seed=range(1,4)'
    dvc queue start                                    # or, in this terminal: dvc exp run --run-all
    python -m commands.ablations --baseline fusion.mode=concat --out ablations/fusion.md
    python -m commands.ablations --x manifest.emotion.few.speakers --out few.png    # a curve

Each row is one setting of the params in which the runs differ. Scores are computed from the saved predictions of the
validation clips, on which a setting is to be chosen; --on test scores the chosen one, once. They are means over seeds,
with intervals and p values by bootstrap over speakers (emotion) or dialogues (valence, arousal). The next
`dvc repro report` adds the tables in ablations/ to plots/report.html.
"""

import argparse
import tempfile
from pathlib import Path

from avemotion.scoring.headlines import HEADLINES
from avemotion.system import cli


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="*", help="experiments, branches or commits (default: all experiments)")
    parser.add_argument("--folders", nargs="+", type=Path, metavar="DIR", help="project folders in place of DVC's runs")
    parser.add_argument(
        "--commits", type=int, default=1, help="number of last commits whose experiments are used (default: 1)"
    )
    parser.add_argument("--by", nargs="+", metavar="PARAM", help="params that define a row (default: all that differ)")
    parser.add_argument("--metric", nargs="+", choices=HEADLINES, help="columns (default: all that there are)")
    parser.add_argument(
        "--on", choices=("val", "test"), default="val", help="clips that are scored: val to choose (default), or test"
    )
    parser.add_argument("--baseline", nargs="+", metavar="PARAM=VALUE", help="setting to compare the others with")
    parser.add_argument("--draws", type=int, default=2000, help="number of bootstrap draws (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: 0)")
    parser.add_argument("--x", metavar="PARAM", help="with --out curve.png: a param with numbers, along the axis")
    parser.add_argument("--out", type=Path, help="table.md or .csv (default: Markdown to the terminal); curve.png")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.out and options.out.suffix not in (".md", ".csv", ".png"):
        raise ValueError(f"--out is {options.out}; name a file that ends in .md or .csv, or in .png for --x")
    if (options.x is None) != (options.out is None or options.out.suffix != ".png"):
        raise ValueError("--x PARAM and --out FILE.png belong together: they draw a curve")
    if options.folders and options.revisions:
        raise ValueError("give revisions or --folders, not both")
    from avemotion.comparison import grid, grid_table, runs
    from avemotion.system import tables

    with tempfile.TemporaryDirectory() as scratch:
        if options.folders:
            collected = [runs.folder(folder, options.on) for folder in options.folders]
        elif options.revisions:
            collected = [
                runs.revision(name, Path(scratch) / str(i), options.on) for i, name in enumerate(options.revisions)
            ]
        else:
            collected = runs.experiments(options.commits, Path(scratch), options.on)
    by = options.by or runs.varied([run for run in collected if run.models])
    table = grid.build(collected, by, _baseline(options.baseline), options.draws, options.seed)
    metrics = options.metric or grid_table.metrics(table)
    if options.x:
        from avemotion.comparison import grid_curve

        grid_curve.save(options.out, table, options.x, (options.metric or ["uar"])[0])
    elif options.out and options.out.suffix == ".csv":
        tables.write_results(options.out, grid_table.as_table(table, metrics))
    elif options.out:
        tables.write_text(options.out, grid_table.as_markdown(table, metrics))
    else:
        print(grid_table.as_markdown(table, metrics), end="")


def _baseline(given: list[str] | None) -> dict[str, str] | None:
    wrong = [item for item in given or [] if "=" not in item]
    if wrong:
        raise ValueError(f"--baseline is {wrong[0]}; write it as fusion.mode=concat")
    return dict(item.split("=", 1) for item in given) if given else None


if __name__ == "__main__":
    cli.run(main)
