"""Compares the saved predictions of two revisions on the same clips: difference, 95 % interval, p.

The clips are the validation clips, on which one of the two is to be chosen. --on test compares the test clips: do that
once, after the choice. Each side is `workspace`, a git revision or a DVC experiment. Its files come from DVC's cache,
without a checkout:

    python -m commands.compare main workspace
    python -m commands.compare gated-seed1 concat-seed1 --json
    python -m commands.compare main workspace --on test
    python -m commands.compare workspace workspace --model pretrain_audio fusion
    python -m commands.compare workspace workspace --model baseline fusion --on test
"""

import argparse
import tempfile
from pathlib import Path

from avemotion.comparison.compared_models import BASELINE, MODELS, RATED, stages
from avemotion.system import cli


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", help="workspace, git revision or experiment to compare with")
    parser.add_argument(
        "second", help="workspace, git revision or experiment whose difference from the first is reported"
    )
    parser.add_argument(
        "--model",
        nargs="+",
        choices=[*MODELS, BASELINE],
        default=["fusion"],
        help="model of both sides, or one for each side; fusion and baseline include valence and arousal",
    )
    parser.add_argument(
        "--on", choices=("val", "test"), default="val", help="clips that are compared: val to choose (default), or test"
    )
    parser.add_argument("--draws", type=int, default=10_000, help="number of bootstrap draws (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if len(options.model) > 2:
        raise ValueError(f"--model names {len(options.model)} models; name one for both sides, or one for each")
    if options.draws < 100:
        raise ValueError(f"--draws is {options.draws}; give 100 or more: the bounds are the outer 2.5 % of the draws")
    from avemotion.comparison import difference_text, paired, revisions

    models = (options.model * 2)[:2]
    affect = set(models) <= set(RATED)
    sides = []
    with tempfile.TemporaryDirectory() as scratch:
        for place, revision, model in zip("ab", (options.first, options.second), models, strict=False):
            root = revisions.fetch(revision, Path(scratch) / place, stages(model, affect=affect))
            sides.append(paired.read(root, _name(revision, model, models), model, affect=affect, on=options.on))
    differences = paired.differences([sides[0]], [sides[1]], options.draws, options.seed)
    render = difference_text.as_json if options.json else difference_text.as_text
    print(render(*sides, differences))


def _name(revision: str, model: str, models: list[str]) -> str:
    return revision if models[0] == models[1] else f"{model} of {revision}"


if __name__ == "__main__":
    cli.run(main)
