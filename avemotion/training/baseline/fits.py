"""Fits of the baseline: one classifier, or one regressor per target, with their predictions."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avemotion.formats import labels, targets
from avemotion.params.baseline import BaselineParams, Config
from avemotion.scoring.metrics import ccc, macro_f1
from avemotion.system import tables
from avemotion.training.baseline import functionals
from avemotion.training.baseline.estimators import CLASSIFIERS, REGRESSORS, Chosen, choose, shares
from avemotion.training.common.folds import Fold

HELD_OUT = ("val", "test")


def emotion(config: Config, fold: Fold | None, folder: Path) -> None:
    """Fit the classifier; writes predictions.csv, as the emotion stages do, and model.json.

    A clip without sound gets the mean of the training rows, so that it has a prediction as with every other model.

    Raises:
        ValueError: a training part without sound, or with a single class.
    """
    params, classes = config.baseline, labels.read_facts("emotion").classes
    table, rows = _rows("emotion", params, fold)
    truth = table["label"].map({name: i for i, name in enumerate(classes)}).to_numpy()
    used = (table["part"] == "train").to_numpy() & ~np.isnan(rows).any(axis=1)
    if len(set(truth[used])) < 2:
        raise ValueError(
            "baseline: the training clips with sound have fewer than two emotions; change manifest.emotion"
        )
    silent = np.isnan(rows).any(axis=1)
    rows[silent] = rows[used].mean(0)
    val = (table["part"] == "val").to_numpy()
    chosen = choose(
        CLASSIFIERS,
        product(params.emotion.models, params.emotion.c),
        (rows[used], truth[used]),
        lambda model: macro_f1(truth[val], model.predict(rows[val])),
    )
    held_out = table["part"].isin(HELD_OUT).to_numpy()
    values = shares(chosen.model, rows[held_out], len(classes))
    predicted = pd.DataFrame(values, columns=[f"p_{name}" for name in classes])
    predicted.insert(0, "id", table["id"][held_out].to_numpy())
    predicted.insert(1, "split", table["part"][held_out].to_numpy())
    predicted.insert(2, "label", table["label"][held_out].to_numpy())
    predicted.insert(3, "predicted", [classes[i] for i in values.argmax(1)])
    _write(folder, predicted, {"emotion": chosen}, params, int(silent.sum()))


def affect(config: Config, fold: Fold, folder: Path) -> None:
    """Fit a regressor for each target; writes predictions.csv, as the stage va does, and model.json.

    A turn without sound has no prediction, as in va.

    Raises:
        ValueError: the corpus, or its training or validation turns, have no rating of a target.
    """
    params = config.baseline
    table, rows = _rows("affect", params, fold)
    targets.check(table, config.targets)
    silent = np.isnan(rows).any(axis=1)
    chosen: dict[str, Chosen] = {}
    for target in config.targets:
        truth = table[target].to_numpy(float)
        train, val = ((table["part"] == part).to_numpy() & ~silent & ~np.isnan(truth) for part in ("train", "val"))
        if not train.any() or not val.any():
            raise ValueError(f"baseline, fold {fold.test}: no {target} in training or validation; change the folds")
        chosen[target] = choose(
            REGRESSORS,
            product(params.affect.models, params.affect.c),
            (rows[train], truth[train]),
            lambda model, truth=truth, val=val: ccc(truth[val], model.predict(rows[val])),  # type: ignore[misc]
        )
        table.loc[~silent, f"{target}_predicted"] = chosen[target].model.predict(rows[~silent])
    predicted = table[table["part"].isin(HELD_OUT)].assign(split=lambda part: part["part"])
    _write(folder, predicted[targets.prediction_columns(config.targets)], chosen, params, int(silent.sum()))


def _rows(role: str, params: BaselineParams, fold: Fold | None) -> tuple[pd.DataFrame, np.ndarray]:
    """labels.csv with a column `part` (train, val or test), and the functionals of its rows."""
    table = labels.read(role)
    table["part"] = fold.parts(table["split"]) if fold else table["split"]
    return table, functionals.read(role, table["id"].tolist(), table["speaker"].tolist(), params.normalise)


def _write(
    folder: Path, predicted: pd.DataFrame, chosen: dict[str, Chosen], params: BaselineParams, silent: int
) -> None:
    tables.write_results(folder / "predictions.csv", predicted.sort_values("id"))
    facts: dict[str, Any] = {
        "chosen": {
            name: {"model": of.name, "c": of.c, "validation": round(of.score, 6)} for name, of in chosen.items()
        },
        "normalise": params.normalise,
        "speaker_statistics": params.normalise == "speaker",
        "silent": silent,
    }
    tables.write_text(folder / "model.json", json.dumps(facts, indent=2) + "\n")
