"""Shared parts of the stages that train categorical models: labelled clips, loss, validation, predictions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avemotion.datasets.clip_batches import (
    Batch,
    ClipDataset,
    Rows,
    Source,
    evaluation_batches,
    sampler_of,
    training_batches,
)
from avemotion.formats import labels
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.scoring import temperature
from avemotion.scoring.metrics import macro_f1
from avemotion.system import runtime, tables
from avemotion.system.outputs import alone, leave_reason
from avemotion.system.source_code import source_digest
from avemotion.system.workers import loader_workers
from avemotion.training.common import folds
from avemotion.training.common.folds import Fold
from avemotion.training.common.loop import Phase, Task, fit
from avemotion.training.common.run import Run
from avemotion.training.emotion.class_loss import ClassLoss
from avemotion.training.emotion.mixup import mix

Split = Literal["train", "val", "test"]
HELD_OUT: tuple[Split, Split] = ("val", "test")
Inputs = tuple[Source | None, Source | None]  # audio, video; None gives that modality zero real steps


class EmotionData:
    """Labelled clips of the emotion role, by split."""

    def __init__(self, fold: Fold | None) -> None:
        """Read data/manifest/emotion; ValueError where a clip has no label or a split has no clip.

        Args:
            fold: the test fold and the validation fold; None where the manifest has train, val and test.
        """
        facts = labels.read_facts("emotion")
        self.classes = facts.classes
        self._shares = _shares(self.classes) if facts.target == "soft" else None
        table = labels.read("emotion").set_index("id")
        file = "data/manifest/emotion/labels.csv"
        if not self.classes or table.label.isna().any():
            raise ValueError(f"{file}: clips without a label; corpora.emotion needs a corpus with emotions")
        self._labels = table.label
        self.speakers: dict[str, str] = table.speaker.to_dict()  # by clip
        parts = fold.parts(table.split) if fold else table.split
        self._ids = {split: sorted(table.index[parts == split]) for split in ("train", "val", "test")}
        for split, ids in self._ids.items():
            if not ids:
                raise ValueError(f"{file}: split '{split}' has no clip; change manifest.emotion in params.yaml")

    def ids(self, split: Split) -> list[str]:
        """Clip ids of a split, sorted."""
        return self._ids[split]

    def datasets(self, *, training: Inputs, held_out: Inputs, prosody: Rows | None = None) -> dict[Split, ClipDataset]:
        """The clips of every split, with the sources for training clips or for held-out clips."""
        splits: tuple[Split, ...] = ("train", *HELD_OUT)
        return {split: self.dataset(split, *(training if split == "train" else held_out), prosody) for split in splits}

    def dataset(
        self, split: Split, audio: Source | None, video: Source | None, prosody: Rows | None = None
    ) -> ClipDataset:
        """Clips of a split with class indices as targets [len]."""
        ids = self.ids(split)
        targets = torch.tensor([self.classes.index(self._labels[clip]) for clip in ids])
        return ClipDataset(ids, targets, audio, video, prosody)

    def shares(self) -> dict[str, Tensor] | None:
        """Clip id -> shares of the classes [C] among the votes for it; None where models train on the class alone.

        A training clip without votes has its class.
        """
        if self._shares is None:
            return None
        rows = torch.eye(len(self.classes))
        return {
            clip: self._shares.get(clip, rows[self.classes.index(self._labels[clip])]) for clip in self.ids("train")
        }


def _shares(classes: Sequence[str]) -> dict[str, Tensor]:
    """Clip id -> shares of the classes [C], of the clips with votes."""
    counts = labels.read_votes(classes)
    rows = torch.from_numpy(counts.to_numpy(float))
    return dict(zip(counts.index, (rows / rows.sum(1, keepdim=True)).float(), strict=True))


def train_splits(
    train: Callable[[Fold | None, Path], None], config: Any, module: str, out: Path, inputs: Iterable[Path] = ()
) -> None:
    """Train one model and write it to `out`; with folds, one per fold in out/fold_<k>.

    Args:
        train: (fold, empty folder) -> None; picklable.
        config: the config of the stage, with a field `compute`.
        module: the stage's module, such as "stages.fusion".
        inputs: checkpoints of the initial weights.
    """
    with alone(out.name):
        facts = labels.read_facts("emotion")
        if facts.absent:
            leave_reason(out, "corpora.emotion names no corpus, so there is nothing to train")
            return
        read = [Path("data/manifest/emotion"), *Path("data/features").glob("*/emotion/index.json"), *inputs]
        key_config = replace(config, compute=None)  # compute changes no byte, so it is not part of the key
        parts = [key_config, runtime.device(config.compute.device).type, source_digest(module)]
        work = Path("data/work") / out.name
        if facts.folds:
            folds.train_all(train, folds.plan(facts), folds.key_of(parts, read), work, out, config.compute)
        else:  # folds have one thread each; here another number of threads may change the last bit of a sum
            folds.train_whole(partial(train, None), folds.key_of([*parts, config.compute.threads], read), work, out)


class Adapters(Protocol):
    """Weights beside those of a model, which `merge` puts into them."""

    def merge(self) -> None: ...


class Labelled(Protocol):
    """R clips or pictures with their class indices [R]."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def targets(self) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class ClipTraining:
    """A categorical model, its clips and its optimization."""

    model: nn.Module
    logits: Callable[[Batch], Tensor]  # batch on the device -> [B, C]
    sets: dict[Split, ClipDataset]  # train, val and test
    # batch on the device -> (weight, logits [B, C]) of each classifier in the loss; None = `logits` alone
    weighted_logits: Callable[[Batch], list[tuple[float, Tensor]]] | None = None
    phases: Sequence[Phase]
    params: ClassifierParams
    shares: dict[str, Tensor] | None  # clip id -> shares of the classes [C] that the loss takes in place of the class
    adapters: Adapters | None = None  # of layers of the model; merged when training ends


def train(training: ClipTraining, run: Run) -> pd.DataFrame:
    """Train with the loss and the sampling of the params; select by macro-F1 on the validation clips.

    Returns:
        the history.
    """
    p, validation, device = training.params, training.sets["val"], run.device
    targets = training.sets["train"].targets
    criterion, weighted = ClassLoss(p.loss, p.label_smoothing, targets), training.weighted_logits

    def loss(batch: Batch) -> Tensor:
        if training.shares is not None:
            batch = replace(batch, target=torch.stack([training.shares[clip] for clip in batch.ids]))
        mixed, targets_of = mix(batch.to(device), p.mixup)
        scored = [(1.0, training.logits(mixed))] if weighted is None else weighted(mixed)
        losses = [
            weight * share * criterion(logits, target) for weight, logits in scored for share, target in targets_of
        ]
        return torch.stack(losses).sum()

    def validate() -> dict[str, float]:
        scores = torch.cat([training.logits(batch).cpu() for batch in batches(validation, p.batch_size, device)])
        truth = validation.targets
        return {
            "loss": F.cross_entropy(scores, truth).item(),
            "score": macro_f1(truth.numpy(), scores.argmax(-1).numpy()),
        }

    workers = loader_workers(run.compute.loader_workers, Path())
    clips = training.sets["train"]
    sampler = sampler_of(p.sampling, clips, p.batch_size, run.seed)
    epochs = training_batches(clips, p.batch_size, run.seed, workers, sampler=sampler)
    curves = run.curves
    task = Task(batches=epochs, loss=loss, validate=validate, label=curves.name, resume=run.resume)
    history = fit(training.model, task, training.phases, p, device, curves)
    if training.adapters is not None:
        training.adapters.merge()
    return history


def train_unimodal(training: ClipTraining, classes: Sequence[str], facts: dict[str, Any], run: Run) -> None:
    """Train a model of one modality; write it with facts, its history and its predictions of held-out clips."""
    history = train(training, run)
    table = predictions(training, classes, run.device)
    run.leave(training.model, {"classes": classes, **facts, "temperature": fit_temperature(table, classes)}, history)
    tables.write_results(run.folder / "predictions.csv", table.sort_values("id"))


def batches(dataset: ClipDataset, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """All clips in order, on the device, without augmentation."""
    return (batch.to(device) for batch in evaluation_batches(dataset, batch_size))


def prediction_table(classes: Sequence[str], split: Split, dataset: "Labelled", logits: Tensor) -> pd.DataFrame:
    """logits [R, C] -> one row per clip: id, split, label, predicted, p_<class>..."""
    probabilities = logits.float().softmax(-1).numpy()
    table = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    table.insert(0, "id", dataset.ids)
    table.insert(1, "split", split)
    table.insert(2, "label", [classes[i] for i in dataset.targets])
    table.insert(3, "predicted", [classes[i] for i in probabilities.argmax(1)])
    return table


def fit_temperature(table: pd.DataFrame, classes: Sequence[str]) -> float:
    """The temperature of a model, fitted on the validation clips among its predictions (rows of prediction_table).

    predictions.csv has the probabilities at temperature 1; model.json has the temperature.
    """
    rows = table[table["split"] == "val"]
    truth = [classes.index(label) for label in rows["label"]]
    return temperature.fit(rows[[f"p_{name}" for name in classes]].to_numpy(), truth)


def predictions(training: ClipTraining, classes: Sequence[str], device: torch.device) -> pd.DataFrame:
    """Rows of prediction_table for the validation and test clips of a trained model."""
    training.model.eval()
    parts = []
    with torch.inference_mode():
        for split in HELD_OUT:
            dataset = training.sets[split]
            scores = [training.logits(batch).cpu() for batch in batches(dataset, training.params.batch_size, device)]
            parts.append(prediction_table(classes, split, dataset, torch.cat(scores)))
    return pd.concat(parts)
