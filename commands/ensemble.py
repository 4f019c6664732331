"""Averages the saved predictions of several runs and models, and compares the mean with each of them.

    python -m commands.ensemble seed0 seed1 seed2                         # validation clips: to choose the members
    python -m commands.ensemble seed0 seed1 seed2 --on test               # test clips: once, after the choice
    python -m commands.ensemble workspace --model fusion pretrain_audio --with-baseline 0.5
    python -m commands.ensemble --folders ../a ../b --weights 2 1 --out ensemble.csv

A run is `workspace`, a git revision or a DVC experiment; its files come from DVC's cache. The mean is over the
probabilities of the emotions, and over valence and arousal where all members have them. All members need the same
clips. Intervals are by bootstrap over speakers (emotion) or dialogues (valence, arousal).
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from avemotion.comparison.compared_models import BASELINE, MODELS
from avemotion.system import cli


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="*", help="workspace, experiments, branches or commits")
    parser.add_argument("--folders", nargs="+", type=Path, metavar="DIR", help="project folders in place of revisions")
    parser.add_argument("--model", nargs="+", choices=MODELS, default=["fusion"], help="models of each run")
    parser.add_argument(
        "--weights", nargs="+", type=float, metavar="W", help="of the members, run by run (default: equal)"
    )
    parser.add_argument(
        "--with-baseline", type=float, metavar="SHARE", help="adds the baseline of the first run with this share"
    )
    parser.add_argument(
        "--on", choices=("val", "test"), default="val", help="clips that are scored: val to choose (default), or test"
    )
    parser.add_argument(
        "--speaker-logits",
        choices=("none", "mean", "mean_std"),
        default="none",
        help="emotions of each member relative to the speaker's own clips, without labels (docs/comparisons.md)",
    )
    parser.add_argument("--draws", type=int, default=10_000, help="number of bootstrap draws (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--out", type=Path, help="also write the table to this .csv file")
    return parser.parse_args()


def main() -> None:
    options = parse()
    runs = [str(run) for run in options.folders or options.revisions]
    check(options, runs)
    from avemotion.comparison import ensemble_members, ensemble_table, ensembles
    from avemotion.system import tables

    with tempfile.TemporaryDirectory() as scratch:
        read = partial(ensemble_members.of_revisions, on=options.on, scratch=Path(scratch))
        if options.folders:
            read = partial(ensemble_members.of_folders, on=options.on)
        members = read(options.folders or options.revisions, options.model)
        trained, weights = len(members), options.weights or [1.0] * len(members)
        if options.with_baseline is not None:
            members += read((options.folders or options.revisions)[:1], [BASELINE])
            rest = (1 - options.with_baseline) / sum(weights)
            weights = [*(weight * rest for weight in weights), options.with_baseline]
    if options.speaker_logits != "none":
        members = [ensembles.relative(member, options.speaker_logits) for member in members]
    ensemble = ensembles.build(members, weights, trained, options.draws, options.seed)
    print((ensemble_table.as_json if options.json else ensemble_table.as_text)(ensemble))
    if options.out:
        tables.write_results(options.out, ensemble_table.as_table(ensemble))


def check(options: argparse.Namespace, runs: list[str]) -> None:
    """Check the arguments against each other.

    Raises:
        ValueError: an argument that does not fit; names it, its value and the remedy.
    """
    if not runs or (options.folders and options.revisions):
        raise ValueError("give revisions or --folders, and not both")
    for what, given in (("run", runs), ("model", options.model)):
        if twice := [name for name in given if given.count(name) > 1]:
            raise ValueError(f"{what} {twice[0]} is named twice; name each once, and use --weights to count one more")
    count = len(runs) * len(options.model)
    if options.weights and (len(options.weights) != count or min(options.weights) <= 0):
        raise ValueError(f"--weights are {options.weights}; give {count} numbers above 0, one a member")
    if options.with_baseline is not None and not 0 < options.with_baseline < 1:
        raise ValueError(f"--with-baseline is {options.with_baseline}; give a share between 0 and 1")
    if options.draws < 100:
        raise ValueError(f"--draws is {options.draws}; give 100 or more: the bounds are the outer 2.5 % of the draws")
    if options.out and options.out.suffix != ".csv":
        raise ValueError(f"--out is {options.out}; name a file that ends in .csv")


if __name__ == "__main__":
    cli.run(main)
