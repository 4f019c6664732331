"""Exports of a trained fold for evaluation: predictions, branch weights, norms, gates, attention."""

import json
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avemotion.formats import targets
from avemotion.models.va.model import VAModel, VAOutput
from avemotion.system import tables
from avemotion.training.common import checkpoint
from avemotion.training.va.objective import Batching, outputs
from avemotion.training.va.turn_batches import TurnBatch, TurnDataset

FILM = ["gamma_norm", "beta_norm"]


def export(
    folder: Path,
    model: VAModel,
    held_out: dict[str, TurnDataset],
    silent: dict[str, pd.DataFrame],
    batching: Batching,
    device: torch.device,
) -> None:
    """Write predictions.csv of validation and test turns, and the other files of test turns.

    predictions.csv          id, split, truth and prediction in the corpus's units; no prediction for silent turns
    branches.csv             weights of each target's own branch and of the rest
    film.csv                 Euclidean norms of the speaker's gamma and beta
    gates.csv                share of audio in the fused embedding
    attention.safetensors    <id>/prosody_to_speech, <id>/pooling [T]: weights over speech steps; <id>/times [T] s
    learned.json             alpha of each target; weight of each hidden layer

    If the model has no such part, a table has only its header, and learned.json has null.

    Args:
        held_out: turns by split. silent: rows of labels.csv of turns without sound, by split.
    """
    predicted: list[tuple] = []
    attention: dict[str, Tensor] = {}
    weights: dict[str, list[tuple]] = {"branches": [], "film": [], "gates": []}
    model.eval()
    with torch.inference_mode():
        for split, dataset in held_out.items():
            hop = dataset.store.facts["hop_seconds"]
            for batch, output in outputs(model, dataset, batching, device):
                if not output.prediction.isfinite().all():  # an empty cell means a silent turn
                    raise ValueError(f"{folder.name}: no finite prediction for {batch.ids[0]}; lower va.lr")
                both = torch.cat([batch.target, output.prediction], 1).tolist()
                predicted += [(clip, split, *row) for clip, row in zip(batch.ids, both, strict=True)]
                if split == "test":
                    _collect(weights, batch, output, dataset)
                    attention |= _attention(batch, output, hop)
    for split, rows in silent.items():
        known = rows[["id", *model.targets]].to_numpy()
        predicted += [(clip, split, *truth, *[nan] * len(truth)) for clip, *truth in known]
    _write(folder / "predictions.csv", predicted, targets.prediction_columns(model.targets))
    _write(folder / "branches.csv", weights["branches"], ["id", *targets.branches(model.targets)])
    _write(folder / "film.csv", weights["film"], ["id", *FILM])
    _write(folder / "gates.csv", weights["gates"], ["id", "gate"])
    checkpoint.save_tensors(dict(sorted(attention.items())), folder / "attention.safetensors")
    tables.write_text(folder / "learned.json", json.dumps(learned(model), indent=2) + "\n")


def learned(model: VAModel) -> dict[str, Any]:
    """Scalars of the model: alpha by target (learned or fixed), weights of the hidden layers."""
    alpha = layers = None
    if model.state is not None:
        values = model.state.alpha.detach().cpu().expand(len(model.targets)).tolist()
        alpha = dict(zip(model.targets, (round(value, 6) for value in values), strict=True))
    if model.weighting is not None:
        layers = [round(value, 6) for value in model.weighting.weights.tolist()]
    return {"alpha": alpha, "layers": layers}


def _collect(weights: dict[str, list[tuple]], batch: TurnBatch, output: VAOutput, dataset: TurnDataset) -> None:
    """Append the rows of a batch to the tables branches, film and gates."""
    rows: dict[str, Tensor | None] = {"film": output.film}
    if output.branches:
        rows["branches"] = torch.cat(list(output.branches.values()), 1)
    for name, values in rows.items():
        if values is not None:
            weights[name] += [(clip, *row) for clip, row in zip(batch.ids, values.tolist(), strict=True)]
    if "gate" in dataset.store.arrays:
        weights["gates"] += [(clip, float(dataset.store.get(clip, "gate")[0, 0])) for clip in batch.ids]


def _attention(batch: TurnBatch, output: VAOutput, hop: float) -> dict[str, Tensor]:
    """Weights over each turn's real speech steps, and the steps' times in seconds."""
    optional = {"prosody_to_speech": output.attention, "pooling": output.pooling}
    weights = {name: value for name, value in optional.items() if value is not None}
    maps: dict[str, Tensor] = {}
    for row, clip in enumerate(batch.ids if weights else []):
        mask = batch.inputs["speech_mask"][row]
        maps |= {f"{clip}/{name}": value[row][mask].contiguous() for name, value in weights.items()}
        maps[f"{clip}/times"] = (torch.arange(int(mask.sum())) + 0.5) * hop
    return maps


def _write(file: Path, rows: list[tuple], columns: list[str]) -> None:
    tables.write_results(file, pd.DataFrame(rows, columns=columns).sort_values("id"))
