"""What the stages that train a categorical model share: labelled clips, objective, validation, predictions."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.lib.data import labels
from stages.lib.data.dataset import Batch, ClipDataset, Source, evaluation_batches, training_batches
from stages.lib.scoring.metrics import macro_f1
from stages.lib.training.loop import OptimParams, Phase, fit

Split = Literal["train", "val", "test"]


class EmotionData:
    """Labelled clips of the emotion role, by split."""

    def __init__(self) -> None:
        """Read data/manifest/emotion; ValueError where a clip has no label or a split has no clip."""
        self.classes = labels.read_facts("emotion").classes
        table = labels.read("emotion").set_index("id")
        file = "data/manifest/emotion/labels.csv"
        if not self.classes or table.label.isna().any():
            raise ValueError(f"{file}: clips without a label; corpora.emotion needs a corpus with emotions")
        self._labels = table.label
        self._ids = {split: sorted(table.index[table.split == split]) for split in ("train", "val", "test")}
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
    label: str,
) -> pd.DataFrame:
    """Cross-entropy training, selected by macro-F1 on the validation clips; returns the history.

    Args:
        logits: batch on the device -> [B, C] by model.
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

    epochs = training_batches(training, params.batch_size, seed)
    return fit(model, phases, epochs, loss, validate, params, device, label)


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
