"""Runs a grid of presets, params and seeds as DVC experiments, in copies of the project, and prints the ablation table.

    python -m commands.sweep -S fusion.mode=concat,gated,xattn --seeds 0-2 --dry-run
    python -m commands.sweep warm_gated warm_xattn_gated+v4 --seeds 0-2 --jobs 2
    python -m commands.sweep -S fusion.mode=concat,gated --target evaluate@emotion --baseline fusion.mode=concat

First it lists the runs: those that are done, the stages that the others re-run, and the time, from earlier sweeps.
Each run is an experiment of this project; `dvc exp show` lists it. The working folder stays as it is. After a kill or
Ctrl-C the same command goes on; finished runs, and finished stages of others, are not repeated. A failed run is listed
and does not stop the others; it is run again when the command is given again.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.system import cli, source_code

if TYPE_CHECKING:
    from avemotion.sweep.plan import Member, Plan
    from avemotion.sweep.project import Project

DEALS = ("manifest.emotion.deal", "manifest.affect.deal")
VA = "data/models/va"
EMOTION = ("accuracy", "uar", "macro_f1")  # headlines without valence and arousal


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", metavar="PRESET", help="one setting each; A+B is B applied after A")
    parser.add_argument(
        "-S",
        "--set-param",
        action="append",
        default=[],
        metavar="PARAM=A,B",
        help="values of a param, as in `dvc exp run --queue -S`: a,b or range(0,3); overrides presets",
    )
    parser.add_argument(
        "--draw",
        type=int,
        metavar="N",
        help="N of the combinations of -S at random, each with all seeds (default: all)",
    )
    parser.add_argument("--seeds", metavar="0-2", help="values of seed: 0-2 or 0,3,5")
    parser.add_argument("--deals", metavar="0-2", help=f"values of {' and '.join(DEALS)}, the same for both")
    parser.add_argument(
        "--target", nargs="+", default=[], metavar="STAGE", help="run up to these stages (default: the whole chain)"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of runs at a time (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="only list the runs")
    parser.add_argument("--baseline", nargs="+", metavar="PARAM=VALUE", help="of the table: setting to compare with")
    parser.add_argument("--out", type=Path, help="of the table: table.md or table.csv (default: the terminal)")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.jobs < 1:
        raise ValueError(f"--jobs is {options.jobs}; give 1 or more")
    if options.draw is not None and options.draw < 1:
        raise ValueError(f"--draw is {options.draw}; give 1 or more, or leave it out for the whole grid")
    if options.out and options.out.suffix not in (".md", ".csv"):
        raise ValueError(f"--out is {options.out}; name a file that ends in .md or .csv")
    from avemotion.sweep import members, plan, project

    here = project.Project()
    grid = plan.make(here, *_settings(options, here), options.target)
    _show(here, grid, options.jobs)
    if options.dry_run:
        return
    failures: list[members.Failure] = []
    if any(member.done is None for member in grid.members):
        with members.only_sweep(here):
            grid = plan.make(here, *_settings(options, here), options.target)  # another sweep may have ended meanwhile
            failures = _run(here, grid, options)
    failed = {failure.member.name for failure in failures}
    finished = [member.done or member.name for member in grid.members if member.name not in failed]
    for failure in failures:
        print(f"failed: {failure.member.name} ({' '.join(failure.member.label)}): {failure.reason}")
        print(f"  see {failure.log.relative_to(here.root)}")
    if finished:
        _table(finished, any(VA in member.outs for member in grid.members), options)
    if failures:
        sys.exit(1)


def _settings(options: argparse.Namespace, here: "Project") -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The runs of the grid, and the same in short."""
    from avemotion.sweep import expansion, stage_graph

    params = here.params()
    presets = [expansion.of_presets(names, params) for names in options.presets]
    axes = []
    if options.deals:
        names = [name for name in DEALS if stage_graph.value(params, name) is not None]
        if not names:
            raise ValueError(f"--deals: params.yaml has neither {' nor '.join(DEALS)}")
        axes.append(expansion.axis(names, expansion.numbers(options.deals)))
    if options.seeds:
        axes.append(expansion.axis(["seed"], expansion.numbers(options.seeds)))
    settings = expansion.expand(presets, options.set_param, axes, options.draw)
    return settings, expansion.labels(options.presets, presets, settings)


def _show(here: "Project", grid: "Plan", jobs: int) -> None:
    """The grid as a table, with what is known of its time."""
    from avemotion.sweep import copies, members, plan, stage_seconds

    known = stage_seconds.read(here.root / copies.FOLDER)
    changes = " with the present changes" if here.snapshot != here.head else ""
    print(f"{len(grid.members)} runs on {here.head[:7]}{changes}")
    times: list[float] = []
    unmeasured: set[str] = set()
    for member in grid.members:
        log = copies.FOLDER / members.LOGS / f"{member.name}.log"
        if member.done:
            state = f"done ({member.done})" if member.done != member.name else "done"
        else:
            seconds, without = plan.seconds_of(member.rerun, known)
            times.append(seconds)
            unmeasured |= set(without)
            state = f"re-runs {' '.join(member.rerun)}" if member.rerun else "from the cache"
            state += f"; about {_duration(seconds)}" if len(without) < len(member.rerun) else ""
            state += f"; ended without a result before, see {log}" if (here.root / log).is_file() else ""
        print(f"  {member.name}  {' '.join(member.label) or 'params.yaml as it is'}\n    {state}")
    for setting in grid.same:
        print(f"  left out, the same params as another run: {' '.join(setting)}")
    if times:
        whole = f"about {_duration(plan.makespan(times, jobs))}" if sum(times) else "of unknown time"
        print(f"to do: {len(times)} runs, {whole} with --jobs {jobs}")
        if unmeasured:
            print(f"  without the stages that no sweep has timed here: {' '.join(sorted(unmeasured))}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )


def _run(here: "Project", grid: "Plan", options: argparse.Namespace) -> list:
    from avemotion.sweep import members
    from avemotion.system import workers

    todo: list[Member] = [member for member in grid.members if member.done is None]
    try:
        return members.run(
            here, todo, options.target, options.jobs, lambda runs: workers.progress(runs, len(todo), "sweep")
        )
    except KeyboardInterrupt:
        print("interrupted; the same command goes on and repeats no finished run", file=sys.stderr)
        sys.exit(130)


def _table(names: Sequence[str], affect: bool, options: argparse.Namespace) -> None:
    """Print the table of commands.ablations. Without the stage va, valence and arousal would be an older run's."""
    command = [sys.executable, "-m", "commands.ablations", *names]
    command += ["--baseline", *options.baseline] if options.baseline else []
    command += [] if affect else ["--metric", *EMOTION]
    command += ["--out", str(options.out)] if options.out else []
    sys.stdout.flush()
    path = os.pathsep.join([str(source_code.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    cli.run(main)
