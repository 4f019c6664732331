"""Calibration of the emotion models on test clips, as trained and with the temperatures that their stages fitted."""

from pathlib import Path
from typing import Any

import pandas as pd

from avemotion.scoring import model_facts, reported_metrics, summaries, temperature
from avemotion.scoring.results import Emotion

MODELS = {"fusion": "fusion", "audio": "pretrain_audio", "video": "pretrain_video"}


def scores(of: Emotion, root: Path = Path()) -> dict[str, Any]:
    """Of each model: temperature (with folds, one each), expected calibration error and negative log-likelihood.

    Values with the suffix _scaled are at the temperature.

    Raises:
        ValueError: a model.json is missing or has no temperature.
    """
    tables = {"fusion": of.fusion, "audio": of.audio, "video": of.video}
    return {name: _scores(tables[name], stage, of, root) for name, stage in MODELS.items()}


def _scores(rows: pd.DataFrame, stage: str, of: Emotion, root: Path) -> dict[str, Any]:
    fitted = model_facts.read(stage, of.facts.folds, "temperature", root)
    truth, _ = summaries.indices(rows, of.facts.classes)
    shares = rows[[f"p_{name}" for name in of.facts.classes]].to_numpy()
    scaled = temperature.scaled(shares, rows["fold"].map(fitted))
    one = fitted.get("")
    return {
        "temperature": {f"fold_{fold}": value for fold, value in fitted.items()} if one is None else one,
        "error": reported_metrics.calibration_error(truth, shares),
        "error_scaled": reported_metrics.calibration_error(truth, scaled),
        "nll": temperature.nll(shares, truth, 1.0),
        "nll_scaled": temperature.nll(scaled, truth, 1.0),
    }
