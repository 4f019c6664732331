"""What training and use of a V/A model share: rows of a fold, standardisation, batches, objective, predictions."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avemotion.datasets.clip_batches import evaluation_batches, training_batches
from avemotion.formats.targets import TARGETS
from avemotion.models.va.dialogue_state import Memory
from avemotion.models.va.model import VAModel, VAOutput
from avemotion.params.va import Feedback, VAParams
from avemotion.scoring.metrics import ccc
from avemotion.system.compute import seed_for
from avemotion.training.va.losses import VALoss, va_loss
from avemotion.training.va.turn_batches import TurnBatch, TurnDataset, collate_turns, dialogue_batches

INPUTS = ("speech", "prosody", "speaker", "fused")


def fold_rows(table: pd.DataFrame, test: int, val: int, in_dialogues: bool) -> dict[str, pd.DataFrame]:
    """Rows of labels.csv by train, val and test.

    Turns without valence and arousal are predicted in val and test. In training they count only as part of a
    dialogue: context for the turns after them, out of the loss.

    Raises:
        ValueError: nothing to test on, or too few labelled turns to train or select on.
    """
    rows = {
        "train": table[~table.split.isin([str(test), str(val)])],
        "val": table[table.split == str(val)],
        "test": table[table.split == str(test)],
    }
    file = "data/manifest/affect/labels.csv"
    for name in ("train", "val"):
        for target in TARGETS:
            if (known := rows[name][target].notna().sum()) < 2:
                raise ValueError(
                    f"{file}: fold {test} has {known} turns with {target} to {name} on; it needs 2 or more"
                )
    if not len(rows["test"]):
        raise ValueError(f"{file}: fold {test} has no turn to test on; is its session empty?")
    speakers = {name: set(part.speaker) for name, part in rows.items()}
    assert not speakers["train"] & speakers["test"] and not speakers["val"] & speakers["test"]
    if not in_dialogues:
        rows["train"] = rows["train"][rows["train"][TARGETS].notna().any(axis=1)]
    return rows


def standardize(model: VAModel, training: TurnDataset) -> None:
    """Prosody and the units of valence and arousal, from training rows only."""
    if model.standardize_prosody is not None:
        rows = [training[None, i][1]["prosody"] for i in range(len(training))]
        model.standardize_prosody.fit(torch.cat(rows))
    for k, column in enumerate(training.targets.double().T):  # each target over the turns that have it
        known = column[~column.isnan()]
        std = known.std(correction=0).item()
        model.units.mean[k], model.units.std[k] = known.mean(), std if std > 1e-8 else 1.0


@dataclass(frozen=True, kw_only=True)
class Batching:
    """turns: in a batch, where they stand by themselves. dialogues: side by side. chunk: turns of each at a time."""

    turns: int
    dialogues: int
    chunk: int

    def training(self, dataset: TurnDataset, seed: int) -> Callable[[int], Iterable[TurnBatch]]:
        """epoch -> its batches, shuffled."""
        if not dataset.dialogues:
            return training_batches(dataset, self.turns, seed, collate=collate_turns)

        def batches(epoch: int) -> Iterable[TurnBatch]:
            generator = torch.Generator().manual_seed(seed_for(seed, "order", epoch))
            order = torch.randperm(len(dataset.dialogues), generator=generator).tolist()
            return dialogue_batches(dataset, order, self.dialogues, self.chunk)

        return batches

    def in_order(self, dataset: TurnDataset) -> Iterator[TurnBatch]:
        """All turns, each once."""
        if not dataset.dialogues:
            return evaluation_batches(dataset, self.turns, collate_turns)
        return dialogue_batches(dataset, range(len(dataset.dialogues)), self.dialogues, self.chunk)


class Objective:
    """The training loss of a batch. Carries each dialogue's memory from chunk to chunk; gradients stop there."""

    def __init__(self, model: VAModel, loss: VALoss, device: torch.device):
        self.model, self.loss, self.device = model, loss, device
        self.teacher_share = 0.0  # probability of feeding the truth back
        self.memory: Memory | None = None

    def __call__(self, batch: TurnBatch) -> Tensor:
        """batch -> scalar."""
        batch = batch.to(self.device)
        output = self.model(
            **batch.inputs,
            turns=batch.turns,
            memory=self.memory if batch.continued else None,
            teacher=batch.target,
            teacher_share=self.teacher_share,
        )
        self.memory = None if output.memory is None else output.memory.detach()
        return self.loss(output.prediction, batch.target)


def teacher_share(feedback: Feedback, epoch: int, epochs: int) -> float:
    """How often training feeds the truth back instead of the prediction; `scheduled` falls from 1 in the first epoch
    to 0 in the last (Bengio et al. 2015)."""
    if feedback == "scheduled":
        return 1.0 - (epoch - 1) / max(1, epochs - 1)
    return float(feedback == "teacher")


def outputs(
    model: VAModel, dataset: TurnDataset, batching: Batching, device: torch.device
) -> Iterator[tuple[TurnBatch, VAOutput]]:
    """(batch, output on the CPU) over all turns; the model hears dialogues in order and only its own predictions."""
    memory = None
    for batch in batching.in_order(dataset):
        there = batch.to(device)
        output = model(**there.inputs, turns=there.turns, memory=memory if batch.continued else None)
        memory = output.memory
        yield batch, _on_cpu(output)


def predictions(
    model: VAModel, dataset: TurnDataset, batching: Batching, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Prediction and target [len(dataset), 2], in the same order."""
    pairs = [(output.prediction, batch.target) for batch, output in outputs(model, dataset, batching, device)]
    prediction, target = (torch.cat(column) for column in zip(*pairs, strict=True))
    return prediction, target


def validate(
    model: VAModel, dataset: TurnDataset, weights: dict[str, float], batching: Batching, device: torch.device
) -> dict[str, float]:
    """The loss over all turns, and as `score` the mean CCC of valence and arousal over those that have a label."""
    prediction, truth = predictions(model, dataset, batching, device)
    scores = [ccc(truth[known, k].numpy(), prediction[known, k].numpy()) for k, known in enumerate(~truth.isnan().T)]
    return {"loss": va_loss(prediction, truth, **weights).item(), "score": sum(scores) / len(scores)}


def groups(model: VAModel, p: VAParams) -> list[dict[str, Any]]:
    """Learning rates: that of WavLM's open layers, and that of all else."""
    encoder = [q for q in model.top.parameters() if q.requires_grad] if model.top is not None else []
    in_encoder = {id(q) for q in encoder}
    rest = [q for q in model.parameters() if q.requires_grad and id(q) not in in_encoder]
    both = ({"params": rest, "lr": p.lr}, {"params": encoder, "lr": p.encoder_lr})
    return [group for group in both if group["params"]]


def _on_cpu(output: VAOutput) -> VAOutput:
    moved = {field.name: getattr(output, field.name) for field in fields(output) if field.name != "memory"}
    for name, value in moved.items():
        if isinstance(value, Tensor):
            moved[name] = value.float().cpu()
    moved["branches"] = {target: weights.float().cpu() for target, weights in output.branches.items()}
    return replace(output, **moved)
