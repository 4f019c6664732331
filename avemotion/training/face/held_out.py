"""Exports of a face model for held-out pictures: predictions and scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from torch import Tensor

from avemotion.scoring.metrics import accuracy, macro_f1, uar
from avemotion.system import tables
from avemotion.training.emotion.classifier import HELD_OUT, prediction_table
from avemotion.training.face.still_batches import Stills

SCORES = {"accuracy": accuracy, "uar": uar, "macro_f1": macro_f1}


def export(folder: Path, classes: Sequence[str], predicted: Mapping[str, tuple[Stills, Tensor]]) -> None:
    """Write predictions.csv (id, split, label, predicted, p_<class>...) and scores.json (split -> score -> value).

    Args:
        predicted: split -> its pictures and their logits [R, C].
    """
    rows, scores = [], {}
    for part in HELD_OUT:
        stills, logits = predicted[part]
        rows.append(prediction_table(classes, part, stills, logits))
        truth, guess = stills.targets.numpy(), logits.argmax(-1).numpy()
        scores[part] = {"pictures": len(truth)} | {name: score(truth, guess) for name, score in SCORES.items()}
        print(f"pretrain_face {part}: " + ", ".join(f"{name} {scores[part][name]:.3f}" for name in SCORES))
    tables.write_results(folder / "predictions.csv", pd.concat(rows).sort_values("id"))
    tables.write_text(folder / "scores.json", json.dumps(scores, indent=2) + "\n")
