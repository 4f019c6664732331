"""Training of a VA model: rows of a fold, standardisation, batches, objective, predictions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avemotion.datasets.clip_batches import evaluation_batches, training_batches
from avemotion.models.va.dialogue_state import Memory
from avemotion.models.va.model import VAModel, VAOutput
from avemotion.params.va import Feedback, VAParams
from avemotion.scoring.metrics import ccc
from avemotion.system.seeds import seed_for
from avemotion.training.va.losses import VALoss, Weights, va_loss
from avemotion.training.va.turn_batches import TurnBatch, TurnDataset, collate_turns, dialogue_batches

INPUTS = ("speech", "prosody", "speaker", "fused")


def fold_rows(
    table: pd.DataFrame, targets: Sequence[str], test: int, val: int, in_dialogues: bool
) -> dict[str, pd.DataFrame]:
    """Rows of labels.csv by train, val and test.

    val and test include turns without any target; the model predicts them too. train includes them only in
    dialogues, as context of the later turns; they are not part of the loss.

    Raises:
        ValueError: no turn for testing, or too few labelled turns for training or validation.
    """
    rows = {
        "train": table[~table.split.isin([str(test), str(val)])],
        "val": table[table.split == str(val)],
        "test": table[table.split == str(test)],
    }
    file = "data/manifest/affect/labels.csv"
    for name in ("train", "val"):
        for target in targets:
            if (labelled := rows[name][target].notna().sum()) < 2:
                raise ValueError(f"{file}: fold {test} has {labelled} {name} turns with {target}; it needs 2 or more")
    if not len(rows["test"]):
        raise ValueError(f"{file}: fold {test} has no turn to test on; is its session empty?")
    speakers = {name: set(part.speaker) for name, part in rows.items()}
    assert not speakers["train"] & speakers["test"] and not speakers["val"] & speakers["test"]
    if not in_dialogues:
        rows["train"] = rows["train"][rows["train"][list(targets)].notna().any(axis=1)]
    return rows


def standardize(model: VAModel, training: TurnDataset) -> None:
    """Fit the statistics of prosody and of the units of the targets to the training rows."""
    if model.standardize_prosody is not None:
        rows = [training[None, i][1]["prosody"] for i in range(len(training))]
        model.standardize_prosody.fit(torch.cat(rows))
    for k, column in enumerate(training.targets.double().T):  # each target over its labelled turns
        labels = column[~column.isnan()]
        std = labels.std(correction=0).item()
        model.units.mean[k], model.units.std[k] = labels.mean(), std if std > 1e-8 else 1.0


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Sizes of batches."""

    turns: int  # in a batch of independent turns
    dialogues: int  # in a batch of dialogues
    chunk: int  # consecutive turns of each dialogue in a batch

    def training(self, dataset: TurnDataset, seed: int) -> Callable[[int], Iterable[TurnBatch]]:
        """epoch -> the shuffled batches of that epoch."""
        if not dataset.dialogues:
            return training_batches(dataset, self.turns, seed, collate=collate_turns)

        def batches(epoch: int) -> Iterable[TurnBatch]:
            generator = torch.Generator().manual_seed(seed_for(seed, "order", epoch))
            order = torch.randperm(len(dataset.dialogues), generator=generator).tolist()
            return dialogue_batches(dataset, order, self.dialogues, self.chunk)

        return batches

    def in_order(self, dataset: TurnDataset) -> Iterator[TurnBatch]:
        """All turns once, in order."""
        if not dataset.dialogues:
            return evaluation_batches(dataset, self.turns, collate_turns)
        return dialogue_batches(dataset, range(len(dataset.dialogues)), self.dialogues, self.chunk)


class Objective:
    """The training loss of a batch. It keeps the dialogues' memory from chunk to chunk, without gradient."""

    def __init__(self, model: VAModel, loss: VALoss, device: torch.device):
        self.model, self.loss, self.device = model, loss, device
        self.teacher_share = 0.0  # probability that the next turn gets the truth
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

    def state_dict(self) -> dict[str, Any]:
        """What later epochs depend on: the earlier batches in the loss. A dialogue's memory ends with its epoch."""
        return {"earlier": list(self.loss.earlier)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict returned."""
        self.loss.earlier.extend(
            (prediction.to(self.device), target.to(self.device)) for prediction, target in state_dict["earlier"]
        )


def teacher_share(feedback: Feedback, epoch: int, epochs: int) -> float:
    """Probability that training feeds back the truth instead of the prediction; with `scheduled` it falls from 1 in the
    first epoch to 0 in the last (Bengio et al. 2015)."""
    if feedback == "scheduled":
        return 1.0 - (epoch - 1) / max(1, epochs - 1)
    return float(feedback == "teacher")


def outputs(
    model: VAModel, dataset: TurnDataset, batching: Batching, device: torch.device
) -> Iterator[tuple[TurnBatch, VAOutput]]:
    """(batch, output on the CPU) for all turns, in the order of the dialogues and with feedback of predictions only."""
    memory = None
    for batch in batching.in_order(dataset):
        on_device = batch.to(device)
        output = model(**on_device.inputs, turns=on_device.turns, memory=memory if batch.continued else None)
        memory = output.memory
        yield batch, _on_cpu(output)


def predictions(
    model: VAModel, dataset: TurnDataset, batching: Batching, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Prediction and target [len(dataset), K], in the same order."""
    pairs = [(output.prediction, batch.target) for batch, output in outputs(model, dataset, batching, device)]
    prediction, target = (torch.cat(column) for column in zip(*pairs, strict=True))
    return prediction, target


def validate(
    model: VAModel, dataset: TurnDataset, weights: Weights, batching: Batching, device: torch.device
) -> dict[str, float]:
    """`loss` over all turns; `score`: the mean of the CCCs of the targets, each over their labelled turns."""
    prediction, truth = predictions(model, dataset, batching, device)
    masks = ~truth.isnan().T
    scores = [ccc(truth[mask, k].numpy(), prediction[mask, k].numpy()) for k, mask in enumerate(masks)]
    return {"loss": va_loss(prediction, truth, weights).item(), "score": sum(scores) / len(scores)}


def groups(model: VAModel, p: VAParams) -> list[dict[str, Any]]:
    """Parameter groups with their rates: of the trained WavLM layers, of heads with their own rate, of the rest."""
    if model.top is not None and not p.encoder_lr:
        model.top.requires_grad_(False)
    encoder = [q for q in model.top.parameters() if q.requires_grad] if model.top is not None else []
    own: list[dict[str, Any]] = [{"params": encoder, "lr": p.encoder_lr}]
    for target in p.targets:
        if (rate := getattr(p, f"{target}_lr")) is not None:
            own.append({"params": model.heads.branch(target), "lr": rate})
    apart = {id(q) for group in own for q in group["params"]}
    rest = [q for q in model.parameters() if q.requires_grad and id(q) not in apart]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": p.lr}, *own]
    return [group for group in groups if group["params"]]


def _on_cpu(output: VAOutput) -> VAOutput:
    moved = {field.name: getattr(output, field.name) for field in fields(output) if field.name != "memory"}
    for name, value in moved.items():
        if isinstance(value, Tensor):
            moved[name] = value.float().cpu()
    moved["branches"] = {target: weights.float().cpu() for target, weights in output.branches.items()}
    return replace(output, **moved)
