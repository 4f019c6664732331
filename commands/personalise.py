"""Adapts a trained VA model to single speakers: trains only FiLM, on a speaker's first turns. Not in the DAG.

For every speaker of the test sessions, it adapts the model of the fold that was not trained on that speaker. It trains
on the earliest labelled turns, and scores all later ones before and after. Steps and learning rate are arguments, so
the reported scores select nothing.
"""

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avemotion.formats.targets import RATED
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.speech import SpeechParams
from avemotion.params.training.speech import read as read_speech
from avemotion.system import cli, params_file


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this command reads from params.yaml."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    weights: dict[str, float]  # of the loss, by target and for mse


def configure(file: Path) -> Config:
    """Read the params of this command."""
    return Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        speech=read_speech(file),
        weights={name: params_file.read(file, f"va.{name}", float) for name in (*RATED, "mse")},
    )


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--fold", type=int, help="test fold (default all)")
    parser.add_argument("--turns", type=_between(1, 10_000, int), default=10, help="turns to train on (default 10)")
    parser.add_argument("--steps", type=_between(1, 10_000, int), default=50, help="usual: 20 to 100 (default 50)")
    parser.add_argument(
        "--lr", type=_between(1e-9, 1.0, float), default=3e-4, help="usual: 1e-4 to 5e-4 (default 3e-4)"
    )
    parser.add_argument("--out", type=Path, help="also write the table to this .csv or .json file")
    options = parser.parse_args()
    if options.out and options.out.suffix not in (".csv", ".json"):
        parser.error(f"--out is {options.out}; give a .csv or .json file")
    config = configure(options.params)
    import pandas as pd

    from avemotion.formats import labels
    from avemotion.prediction.speaker_adaptation import Adaptation, of_fold
    from avemotion.system import runtime, tables

    device = runtime.setup(config.seed, config.compute)
    folds = labels.read_facts("affect").folds
    if options.fold is not None and options.fold not in folds:
        parser.error(f"--fold is {options.fold}; choose from {', '.join(map(str, folds))}")

    how = Adaptation(turns=options.turns, steps=options.steps, lr=options.lr)
    chosen = folds if options.fold is None else [options.fold]
    table = pd.DataFrame([row for fold in chosen for row in of_fold(fold, how, config.speech, config.weights, device)])
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    changed = [of for of in RATED if f"{of}_change" in table]
    changes = ", ".join(f"{of} {table[f'{of}_change'].mean():+.3f}" for of in changed)
    print(f"mean change of CCC over {len(table)} speakers: {changes}")
    if options.out:
        if options.out.suffix == ".csv":
            tables.write_results(options.out, table)
        else:
            rows = json.loads(table.round(6).to_json(orient="records"))
            tables.write_text(options.out, json.dumps({**vars(how), "speakers": rows}, indent=2) + "\n")


def _between(low: float, high: float, kind: type) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return number


if __name__ == "__main__":
    cli.run(main, memory="compute.workers")
