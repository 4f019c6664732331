"""Adapt a trained V/A model to single speakers: only FiLM moves, on a speaker's first turns. Not in the DAG.

For every speaker of the test sessions, the model of the fold that never heard that speaker learns from the
earliest labelled turns and is scored on all later ones, before and after. Steps and learning rate are fixed
beforehand: nothing is selected by the scores that are reported.
"""

import copy
import json
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from stages.lib import cli, params, runtime
from stages.lib.compute import ComputeParams
from stages.lib.data import labels, tables
from stages.lib.data.turns import TARGETS, TurnDataset, turn_dataset
from stages.lib.features.store import FeatureStore
from stages.lib.models.va import VAModel
from stages.lib.models.wavlm import SpeechParams
from stages.lib.scoring.metrics import ccc
from stages.lib.training import affect, checkpoint, freeze
from stages.lib.training.losses import va_loss
from stages.lib.training.turns import embed_turns, trained_inputs

MODELS = Path("data/models/va")
BATCHING = affect.Batching(turns=64, dialogues=1, chunk=100)  # one at a time: predictions in the dataset's order


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this command reads from params.yaml."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    weights: dict[str, float]  # of the loss


def configure(file: Path) -> Config:
    """Read the params that training used."""
    return Config(
        seed=params.read(file, "seed", int),
        compute=params.read(file, "compute", ComputeParams),
        speech=params.read(file, "speech", SpeechParams),
        weights={name: params.read(file, f"va.{name}", float) for name in (*TARGETS, "mse")},
    )


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a speaker is learned: labelled turns, optimizer steps, learning rate."""

    turns: int
    steps: int
    lr: float


def adapt(
    model: VAModel, dataset: TurnDataset, learn: list[int], how: Adaptation, weights: dict[str, float]
) -> VAModel:
    """A copy of model whose FiLM has learned the turns at positions `learn` of dataset; all else is as it was.

    Without dropout: ten turns leave enough to chance as it is.
    """
    device = model.units.mean.device
    personal = copy.deepcopy(model).eval()
    freeze.train_only(personal, personal.film.parameters())
    optimizer = torch.optim.AdamW(personal.film.parameters(), lr=how.lr, weight_decay=0.0)
    rows = torch.tensor(learn)
    for _ in range(how.steps):
        prediction, target = affect.predictions(personal, dataset, BATCHING, device)
        optimizer.zero_grad()
        va_loss(prediction[rows], target[rows], **weights).backward()
        optimizer.step()
    return personal


def personalise(
    model: VAModel, store: FeatureStore, session: pd.DataFrame, how: Adaptation, weights: dict[str, float]
) -> list[dict]:
    """One row a speaker of a test session: CCC on the later turns before and after.

    Args:
        session: rows of labels.csv of one fold. All turns of a dialogue are heard, those of the other speaker too.

    Raises:
        ValueError: the model has no FiLM, or no speaker has two labelled turns more than are learned from.
    """
    if model.film is None:
        raise ValueError(f"{MODELS}: the model has no FiLM to adapt; train with va.film and the input speaker")
    device, rows = model.units.mean.device, []
    for speaker, own in session.groupby("speaker"):
        known = own.dropna(subset=TARGETS).sort_values(["dialogue", "turn", "start", "id"])
        if len(known) < how.turns + 2:
            print(f"speaker {speaker}: {len(known)} labelled turns, {how.turns + 2} are needed; left out")
            continue
        learned, later = list(known.id[: how.turns]), list(known.id[how.turns :])
        heard = _around(store, session, learned, model.state is not None)
        personal = adapt(model, heard, [heard.ids.index(turn) for turn in learned], how, weights)
        row: dict = {"speaker": speaker, "learned": len(learned), "scored": len(later)}
        scored = _around(store, session, later, model.state is not None)
        keep = [scored.ids.index(turn) for turn in later]
        for name, kind in (("before", model), ("after", personal)):
            with torch.inference_mode():
                prediction, target = affect.predictions(kind, scored, BATCHING, device)
            for k, of in enumerate(TARGETS):
                row[f"{of}_{name}"] = ccc(target[keep, k].numpy(), prediction[keep, k].numpy())
        rows.append(row | {f"{of}_change": row[f"{of}_after"] - row[f"{of}_before"] for of in TARGETS})
    if not rows:
        raise ValueError(
            f"no speaker of fold {session.split.iloc[0]} has {how.turns + 2} labelled turns; learn from fewer (--turns)"
        )
    return rows


def _around(store: FeatureStore, session: pd.DataFrame, turns: list[str], in_dialogues: bool) -> TurnDataset:
    """These turns, with all others of their dialogues where a state runs through them."""
    chosen = session.id.isin(turns)
    if in_dialogues:
        chosen |= session.dialogue.isin(session.dialogue[chosen])
    return turn_dataset(store, session[chosen], in_dialogues)


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--fold", type=int, help="test session (default all)")
    parser.add_argument("--turns", type=_between(1, 10_000, int), default=10, help="to learn from (default 10)")
    parser.add_argument("--steps", type=_between(1, 10_000, int), default=50, help="usual: 20 to 100 (default 50)")
    parser.add_argument(
        "--lr", type=_between(1e-9, 1.0, float), default=3e-4, help="usual: 1e-4 to 5e-4 (default 3e-4)"
    )
    parser.add_argument("--out", type=Path, help="also write the table to this .csv or .json file")
    options = parser.parse_args()
    if options.out and options.out.suffix not in (".csv", ".json"):
        parser.error(f"--out is {options.out}; give a .csv or .json file")
    config = configure(options.params)
    device = runtime.setup(config.seed, config.compute)
    folds = labels.read_facts("affect").folds
    if options.fold is not None and options.fold not in folds:
        parser.error(f"--fold is {options.fold}; choose from {', '.join(map(str, folds))}")

    how = Adaptation(turns=options.turns, steps=options.steps, lr=options.lr)
    chosen = folds if options.fold is None else [options.fold]
    table = pd.DataFrame([row for fold in chosen for row in of_fold(fold, how, config, device)])
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    changes = ", ".join(f"{of} {table[f'{of}_change'].mean():+.3f}" for of in TARGETS)
    print(f"mean change of CCC over {len(table)} speakers: {changes}")
    if options.out:
        if options.out.suffix == ".csv":
            tables.write_results(options.out, table)
        else:
            rows = json.loads(table.round(6).to_json(orient="records"))
            tables.write_text(options.out, json.dumps({**vars(how), "speakers": rows}, indent=2) + "\n")


def of_fold(fold: int, how: Adaptation, config: Config, device: torch.device) -> list[dict]:
    """Rows of `personalise` for the test session of a fold, with the inputs that its model was trained on."""
    trained, model = checkpoint.rebuild(MODELS / f"fold_{fold}", VAModel)
    built = trained["architecture"]
    model.to(device).eval()
    table = labels.read("affect")
    session = table[table.split == str(fold)]
    open_layers = built["top"]["layers"] if built["top"] else 0
    fusion = Path(trained["fusion"])
    inputs = trained_inputs(
        fusion, config.speech, names=trained["inputs"], open_layers=open_layers, layers=built["layers"] > 0
    )
    with tempfile.TemporaryDirectory() as folder:
        embed_turns(inputs, sorted(session.id), Path(folder) / "features", device)
        store = FeatureStore(Path(folder) / "features")
        rows = personalise(model, store, session[~session.id.isin(store.missing)], how, config.weights)
    return [{"fold": fold} | row for row in rows]


def _between(low: float, high: float, kind: type) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return number


if __name__ == "__main__":
    cli.run(main)
