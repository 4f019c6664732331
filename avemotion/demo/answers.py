"""A prediction in the form of the page, and as files to download."""

from pathlib import Path
from typing import Any

import numpy as np

from avemotion.prediction import annotations, output
from avemotion.prediction.predictor import Predictor
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Prediction

POINTS = 4000  # of the attention of a recording on the page, more than a screen has pixels


def shown(prediction: Prediction, models: Models) -> dict[str, Any]:
    """The values of `predict --json`, with `face` in each window, and attention of about POINTS values a map at most.

    Thinned weights keep their mean relative to uniform ones: `steps` is the number of all steps.
    """
    values = output.as_values(prediction)
    step = -(-sum(_steps(window) for window in values["windows"]) // POINTS)
    for row, window in zip(values["windows"], prediction.windows, strict=True):
        row["face"] = window.face
        row["attention"] = {name: _thinned(of, max(1, step)) for name, of in row["attention"].items()}
    return {"recording": values, "models": about(models)}


def about(models: Models) -> dict[str, Any]:
    """What `predict --json` says of the models, with the names of the values that the VA models predict."""
    return output.about(models) | {"targets": models.targets}


def files(prediction: Prediction, predictor: Predictor) -> dict[str, str]:
    """Name -> content, in the formats of `commands.predict`."""
    stem = Path(prediction.recording.name).stem
    return {
        f"{stem}.json": output.as_json(predictor.models, [prediction], notes=predictor.notes),
        f"{stem}.csv": annotations.table(prediction),
        f"{stem}.srt": annotations.srt(prediction),
        f"{stem}.TextGrid": annotations.textgrid(prediction),
    }


def _steps(window: dict[str, Any]) -> int:
    return max((len(of["weights"]) for of in window["attention"].values()), default=0)


def _thinned(of: dict[str, list[float]], step: int) -> dict[str, Any]:
    """Means of step values in a row."""
    count = len(of["weights"])
    cuts = np.arange(0, count, step)
    sizes = np.diff(np.append(cuts, count))
    means = {name: (np.add.reduceat(values, cuts) / sizes).tolist() for name, values in of.items()}
    return means | {"steps": count}
