"""What a trained fold leaves for evaluation: predictions, and what the model looked at."""

import json
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avemotion.formats.targets import TARGETS
from avemotion.models.va.model import VAModel, VAOutput
from avemotion.system import tables
from avemotion.training.common import checkpoint
from avemotion.training.va.objective import Batching, outputs
from avemotion.training.va.turn_batches import TurnBatch, TurnDataset

BRANCHES = [f"{target}_{side}" for target in TARGETS for side in ("own", "rest")]
FILM = ["gamma_norm", "beta_norm"]


def export(
    folder: Path,
    model: VAModel,
    held_out: dict[str, TurnDataset],
    silent: dict[str, pd.DataFrame],
    batching: Batching,
    device: torch.device,
) -> None:
    """predictions.csv of validation and test turns, all else of test turns.

    predictions.csv          id, split, truth and prediction in the corpus's units; the latter empty for silent turns
    branches.csv             weights of each target's own branch and of the rest
    film.csv                 Euclidean norms of the speaker's gamma and beta
    gates.csv                share of audio in the fused embedding
    attention.safetensors    <id>/prosody_to_speech, <id>/pooling [T]: weights over speech steps; <id>/times [T] s
    learned.json             alpha of each target; weight of each hidden layer

    A table has its header alone, and learned.json null, where the model has no such part.

    Args:
        held_out: turns by split. silent: rows of labels.csv that the model cannot tell, by split.
    """
    predicted, attention = [], {}
    found: dict[str, list[tuple]] = {"branches": [], "film": [], "gates": []}
    model.eval()
    with torch.inference_mode():
        for split, dataset in held_out.items():
            hop = dataset.store.facts["hop_seconds"]
            for batch, output in outputs(model, dataset, batching, device):
                if not output.prediction.isfinite().all():  # empty cells mean silent turns
                    raise ValueError(f"{folder.name}: no finite prediction for {batch.ids[0]}; lower va.lr")
                both = torch.cat([batch.target, output.prediction], 1).tolist()
                predicted += [(clip, split, *row) for clip, row in zip(batch.ids, both, strict=True)]
                if split == "test":
                    _collect(found, batch, output, dataset)
                    attention |= _attention(batch, output, hop)
    for split, rows in silent.items():
        predicted += [(clip, split, *truth, nan, nan) for clip, *truth in rows[["id", *TARGETS]].to_numpy()]
    columns = ["id", "split", *TARGETS, *(f"{target}_predicted" for target in TARGETS)]
    _write(folder / "predictions.csv", predicted, columns)
    _write(folder / "branches.csv", found["branches"], ["id", *BRANCHES])
    _write(folder / "film.csv", found["film"], ["id", *FILM])
    _write(folder / "gates.csv", found["gates"], ["id", "gate"])
    checkpoint.save_tensors(dict(sorted(attention.items())), folder / "attention.safetensors")
    tables.write_text(folder / "learned.json", json.dumps(learned(model), indent=2) + "\n")


def learned(model: VAModel) -> dict[str, Any]:
    """Single numbers that the model learned (or was given): alpha by target, weights of the hidden layers."""
    alpha = layers = None
    if model.state is not None:
        values = model.state.alpha.detach().cpu().expand(len(TARGETS)).tolist()
        alpha = dict(zip(TARGETS, (round(value, 6) for value in values), strict=True))
    if model.weighting is not None:
        layers = [round(value, 6) for value in model.weighting.weights.tolist()]
    return {"alpha": alpha, "layers": layers}


def _collect(found: dict[str, list[tuple]], batch: TurnBatch, output: VAOutput, dataset: TurnDataset) -> None:
    rows: dict[str, Tensor | None] = {"film": output.film}
    if output.branches:
        rows["branches"] = torch.cat([output.branches[target] for target in TARGETS], 1)
    for name, values in rows.items():
        if values is not None:
            found[name] += [(clip, *row) for clip, row in zip(batch.ids, values.tolist(), strict=True)]
    if "gate" in dataset.store.arrays:
        found["gates"] += [(clip, float(dataset.store.get(clip, "gate")[0, 0])) for clip in batch.ids]


def _attention(batch: TurnBatch, output: VAOutput, hop: float) -> dict[str, Tensor]:
    """Weights over each turn's real speech steps, and the steps' times in seconds."""
    shown = {"prosody_to_speech": output.attention, "pooling": output.pooling}
    shown = {name: weights for name, weights in shown.items() if weights is not None}
    maps = {}
    for row, clip in enumerate(batch.ids if shown else []):
        mask = batch.inputs["speech_mask"][row]
        maps |= {f"{clip}/{name}": weights[row][mask].contiguous() for name, weights in shown.items()}
        maps[f"{clip}/times"] = (torch.arange(int(mask.sum())) + 0.5) * hop
    return maps


def _write(file: Path, rows: list[tuple], columns: list[str]) -> None:
    tables.write_results(file, pd.DataFrame(rows, columns=columns).sort_values("id"))
