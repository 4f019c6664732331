"""Adapts a trained VA model to single speakers: trains only FiLM, on a speaker's first turns."""

import copy
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from avemotion.datasets.memory_store import MemoryStore, Store
from avemotion.datasets.speaker_store import SpeakerStore
from avemotion.formats import labels
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.va.model import VAModel, build_va
from avemotion.params.training.speech import SpeechParams
from avemotion.prediction.trained_models import arrays_by_speaker, turn_inputs
from avemotion.scoring.metrics import ccc
from avemotion.training.common import checkpoint, freeze
from avemotion.training.va import objective
from avemotion.training.va.losses import Weights, va_loss
from avemotion.training.va.turn_batches import TurnDataset, turn_dataset
from avemotion.training.va.turn_embeddings import FEATURES, turn_facts, turn_rows, without_sound

MODELS = Path("data/models/va")
BATCHING = objective.Batching(
    turns=64, dialogues=1, chunk=100
)  # one dialogue at a time, so that predictions are in the dataset's order


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """Settings of the adaptation to one speaker."""

    turns: int  # labelled turns to train on
    steps: int  # of the optimizer
    lr: float


def adapt(model: VAModel, dataset: TurnDataset, learn: list[int], how: Adaptation, weights: Weights) -> VAModel:
    """A copy of model with its FiLM trained on the turns at positions `learn` of dataset; all else is unchanged.

    There is no dropout, because with ten turns the result varies enough.
    """
    assert model.film is not None
    device = model.units.mean.device
    personal = copy.deepcopy(model).eval()
    assert personal.film is not None
    freeze.train_only(personal, personal.film.parameters())
    optimizer = torch.optim.AdamW(personal.film.parameters(), lr=how.lr, weight_decay=0.0)
    rows = torch.tensor(learn)
    for _ in range(how.steps):
        prediction, target = objective.predictions(personal, dataset, BATCHING, device)
        optimizer.zero_grad()
        va_loss(prediction[rows], target[rows], weights).backward()
        optimizer.step()
    return personal


def personalise(model: VAModel, store: Store, session: pd.DataFrame, how: Adaptation, weights: Weights) -> list[dict]:
    """One row per speaker of a test session: CCC on the later turns before and after the adaptation.

    Args:
        session: rows of labels.csv of one fold. The state of the model runs over the turns of both speakers.

    Raises:
        ValueError: the model has no FiLM, or no speaker has two labelled turns more than how.turns.
    """
    if model.film is None:
        raise ValueError(f"{MODELS}: the model has no FiLM to adapt; train with va.film and the input speaker")
    device, rows = model.units.mean.device, []
    for speaker, own in session.groupby("speaker"):
        labelled = own.dropna(subset=model.targets).sort_values(["dialogue", "turn", "start", "id"])
        if len(labelled) < how.turns + 2:
            print(f"speaker {speaker}: {len(labelled)} labelled turns, {how.turns + 2} are needed; left out")
            continue
        learned, later = list(labelled.id[: how.turns]), list(labelled.id[how.turns :])
        first = _around(store, session, learned, model.targets, model.state is not None)
        personal = adapt(model, first, [first.ids.index(turn) for turn in learned], how, weights)
        row: dict = {"speaker": speaker, "learned": len(learned), "scored": len(later)}
        scored = _around(store, session, later, model.targets, model.state is not None)
        keep = [scored.ids.index(turn) for turn in later]
        for name, kind in (("before", model), ("after", personal)):
            with torch.inference_mode():
                prediction, target = objective.predictions(kind, scored, BATCHING, device)
            for k, of in enumerate(model.targets):
                row[f"{of}_{name}"] = ccc(target[keep, k].numpy(), prediction[keep, k].numpy())
        rows.append(row | {f"{of}_change": row[f"{of}_after"] - row[f"{of}_before"] for of in model.targets})
    if not rows:
        raise ValueError(
            f"no speaker of fold {session.split.iloc[0]} has {how.turns + 2} labelled turns; train on fewer (--turns)"
        )
    return rows


def _around(
    store: Store, session: pd.DataFrame, turns: list[str], targets: list[str], in_dialogues: bool
) -> TurnDataset:
    """These turns; in_dialogues: with all other turns of their dialogues."""
    chosen = session.id.isin(turns)
    if in_dialogues:
        chosen |= session.dialogue.isin(session.dialogue[chosen])
    return turn_dataset(store, session[chosen], targets, in_dialogues)


def of_fold(
    fold: int, how: Adaptation, speech: SpeechParams, weights: dict[str, float], device: torch.device
) -> list[dict]:
    """Rows of `personalise` for the test session of a fold, with the inputs of its model.

    weights: of the loss, by target and for mse.
    """
    config, model = checkpoint.rebuild(MODELS / f"fold_{fold}", build_va)
    model.to(device).eval()
    table = labels.read("affect")
    session = table[table.split == str(fold)]
    inputs = turn_inputs(config, speech, None if config["fusion"] is None else Path(config["fusion"]))
    caches = {kind: FeatureStore(FEATURES / kind / "affect") for kind in inputs.kinds}
    speakers = dict(sorted(zip(session["id"], session["speaker"], strict=True)))
    silent = without_sound(inputs, list(speakers), caches)
    with torch.inference_mode():
        rows = dict(turn_rows(inputs, speakers, silent, caches, device))
    store = SpeakerStore(MemoryStore(rows, turn_facts(caches)), arrays_by_speaker(config), speakers)
    terms = Weights(ccc=[weights[target] for target in model.targets], mse=weights["mse"])
    scores = personalise(model, store, session[~session.id.isin(silent)], how, terms)
    return [{"fold": fold} | row for row in scores]
