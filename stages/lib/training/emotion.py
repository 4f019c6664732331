"""What the stages that train a categorical model share: labelled clips, objective, validation, predictions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.lib import runtime
from stages.lib.compute import ComputeParams, loader_workers, seed_for
from stages.lib.data import labels
from stages.lib.data.dataset import Batch, ClipDataset, Source, evaluation_batches, training_batches
from stages.lib.outputs import alone, whole_folder
from stages.lib.scoring.metrics import macro_f1
from stages.lib.source_code import source_digest
from stages.lib.training import folds
from stages.lib.training.folds import Fold
from stages.lib.training.loop import OptimParams, Phase, fit

Split = Literal["train", "val", "test"]


class EmotionData:
    """Labelled clips of the emotion role, by split."""

    def __init__(self, fold: Fold | None) -> None:
        """Read data/manifest/emotion; ValueError where a clip has no label or a split has no clip.

        Args:
            fold: which fold tests and which validates; None where the manifest says train, val and test itself.
        """
        self.classes = labels.read_facts("emotion").classes
        table = labels.read("emotion").set_index("id")
        file = "data/manifest/emotion/labels.csv"
        if not self.classes or table.label.isna().any():
            raise ValueError(f"{file}: clips without a label; corpora.emotion needs a corpus with emotions")
        self._labels = table.label
        parts = fold.parts(table.split) if fold else table.split
        self._ids = {split: sorted(table.index[parts == split]) for split in ("train", "val", "test")}
        for split, ids in self._ids.items():
            if not ids:
                raise ValueError(f"{file}: split '{split}' has no clip; change manifest.emotion in params.yaml")

    def ids(self, split: Split) -> list[str]:
        """Clip ids of a split, sorted."""
        return self._ids[split]

    def dataset(self, split: Split, audio: Source | None, video: Source | None) -> ClipDataset:
        """Clips of a split with class indices as targets [len]."""
        ids = self.ids(split)
        targets = torch.tensor([self.classes.index(self._labels[clip]) for clip in ids])
        return ClipDataset(ids, targets, audio, video)


def train_splits(
    train: Callable[[Fold | None, Path], None], config: Any, module: str, out: Path, inputs: Iterable[Path] = ()
) -> None:
    """Leave one trained model in `out`, or one a fold in out/fold_<k>, as the emotion role's split asks.

    Args:
        train: (fold, empty folder) -> None; picklable.
        config: the stage's, with its `compute`.
        module: of the stage, such as "stages.fusion".
        inputs: checkpoints that training starts from.
    """
    with alone(out.name):
        numbers = labels.read_facts("emotion").folds
        if not numbers:
            with whole_folder(out) as folder:
                train(None, folder)
            return
        read = [Path("data/manifest/emotion"), *Path("data/features").glob("*/emotion/index.json"), *inputs]
        placed = replace(config, compute=None)  # changes no byte, so it is no part of the key
        key = folds.key_of([placed, runtime.device(config.compute.device).type, source_digest(module)], read)
        work = Path("data/work") / out.name
        folds.train_all(train, folds.cyclic(numbers), key, work, out, config.compute)


def setup(seed: int, compute: ComputeParams, fold: Fold | None) -> tuple[int, torch.device]:
    """Seed and device of one model. Folds run side by side, so each takes a seed of its own and one thread."""
    if fold is None:
        return seed, runtime.setup(seed, compute)
    seed = seed_for(seed, "fold", fold.test)
    return seed, runtime.setup(seed, compute, threads=1)


def train(
    model: nn.Module,
    logits: Callable[[Batch], Tensor],
    training: ClipDataset,
    validation: ClipDataset,
    phases: Sequence[Phase],
    params: OptimParams,
    label_smoothing: float,
    seed: int,
    device: torch.device,
    compute: ComputeParams,
    curves: Path,
) -> pd.DataFrame:
    """Cross-entropy training, selected by macro-F1 on the validation clips; returns the history.

    Args:
        logits: batch on the device -> [B, C] by model.
        curves: see loop.fit; its name labels the progress bar.
    """

    def loss(batch: Batch) -> Tensor:
        batch = batch.to(device)
        return F.cross_entropy(logits(batch), batch.target, label_smoothing=label_smoothing)

    def validate() -> dict[str, float]:
        scores = torch.cat([logits(batch).cpu() for batch in batches(validation, params.batch_size, device)])
        truth = validation.targets
        return {
            "loss": F.cross_entropy(scores, truth).item(),
            "score": macro_f1(truth.numpy(), scores.argmax(-1).numpy()),
        }

    epochs = training_batches(training, params.batch_size, seed, loader_workers(compute.loader_workers, Path()))
    return fit(model, phases, epochs, loss, validate, params, device, curves.stem, curves)


def batches(dataset: ClipDataset, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """All clips in order, on the device, without augmentation."""
    return (batch.to(device) for batch in evaluation_batches(dataset, batch_size))


def prediction_table(classes: Sequence[str], split: Split, dataset: ClipDataset, logits: Tensor) -> pd.DataFrame:
    """logits [len(dataset), C] -> one row a clip: id, split, label, predicted, p_<class>..."""
    probabilities = logits.float().softmax(-1).numpy()
    table = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    table.insert(0, "id", dataset.ids)
    table.insert(1, "split", split)
    table.insert(2, "label", [classes[i] for i in dataset.targets])
    table.insert(3, "predicted", [classes[i] for i in probabilities.argmax(1)])
    return table


def predict(
    model: nn.Module,
    logits: Callable[[Batch], Tensor],
    classes: Sequence[str],
    datasets: dict[Split, ClipDataset],
    batch_size: int,
    device: torch.device,
) -> pd.DataFrame:
    """predictions.csv of a trained unimodal model: the rows of prediction_table for several splits."""
    model.eval()
    tables = []
    with torch.inference_mode():
        for split, dataset in datasets.items():
            scores = torch.cat([logits(batch).cpu() for batch in batches(dataset, batch_size, device)])
            tables.append(prediction_table(classes, split, dataset, scores))
    return pd.concat(tables)
