"""Predictions as text for a terminal and as plain values for JSON."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from avemotion.formats.labels import CorpusFacts
    from avemotion.prediction.trained_models import Models
    from avemotion.prediction.windows import Prediction, Window

DECIMALS = 6
SYNTHETIC = "the models were trained on the synthetic sample: their predictions for people mean nothing"


def warnings(models: "Models") -> list[str]:
    """Warnings for all predictions of these models."""
    corpora = [facts for facts in (models.emotion, models.affect) if facts is not None]
    notes = [SYNTHETIC] if any(facts.synthetic for facts in corpora) else []
    if models.affect is None:
        notes.append("no models in data/models/va, so no valence and arousal; run `dvc repro` to train them")
    if models.emotion is None:
        notes.append("corpora.emotion names no corpus, so there is no emotion model")
    return notes


def about(models: "Models") -> dict[str, Any]:
    """The training corpora of the models, and the numbers of models."""
    emotion = affect = None
    if models.emotion is not None:
        emotion = _corpus(models.emotion) | {"classes": models.classes, "models": len(models.fusions)}
    if models.affect is not None:
        affect = _corpus(models.affect) | {"scale": models.affect.scale, "models": len(models.va)}
    return {"emotion": emotion, "affect": affect}


def as_json(
    models: "Models",
    recordings: Sequence["Prediction"],
    failed: Sequence[dict[str, str]] = (),
    *,
    notes: list[str],
    relative: bool = False,
) -> str:
    """Several recordings as a JSON document.

    Args:
        failed: file and reason of each that could not be predicted. notes: on all recordings.
        relative: whether emotions are relative to their speaker.
    """
    content = {
        "models": about(models),
        "speaker_statistics": relative or models.takes_speaker_statistics,
        "notes": notes,
    }
    content |= {"recordings": [as_values(prediction) for prediction in recordings], "failed": list(failed)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_values(prediction: "Prediction") -> dict[str, Any]:
    """One recording: seconds; `emotion` and the targets (`valence`, `arousal`) over all of it, then window by window.

    A value is null if the sound or picture that it needs is missing.
    """
    return {
        "file": prediction.recording.name,
        "seconds": _rounded(prediction.recording.seconds),
        "sound": prediction.recording.waveform is not None,
        "picture": prediction.recording.has_picture,
        **_emotion(prediction.emotion, prediction.classes),
        **_affect(prediction.affect, prediction.targets),
        "windows": [_window(window, prediction) for window in prediction.windows],
        "notes": prediction.notes,
    }


def as_text(prediction: "Prediction") -> str:
    """A headline, one line per window, and the notes."""
    recording = prediction.recording
    kinds = {"sound": recording.waveform is not None, "picture": recording.has_picture}
    present = " and ".join(kind for kind, there in kinds.items() if there)
    lines = [f"{recording.name}: {recording.seconds:.1f} s, {present}"]
    return "\n".join(
        [*lines, *(as_line(window, prediction) for window in prediction.windows), *after_windows(prediction)]
    )


def as_line(window: "Window", of: "Prediction | Models") -> str:
    """The line of one window; of: has the names of classes and values."""
    return f"  {_span(window)}  {_predictions_text(window.emotion, window.affect, of)}"


def after_windows(prediction: "Prediction") -> list[str]:
    """The line of the whole recording, if it has several windows, and the notes."""
    lines = []
    if len(prediction.windows) > 1:
        lines.append(f"  {'all':>13}  {_predictions_text(prediction.emotion, prediction.affect, prediction)}")
    return [*lines, *(f"  note: {note}" for note in prediction.notes)]


def _span(window: "Window") -> str:
    return f"{window.start:5.1f}–{window.end:5.1f} s"  # noqa: RUF001 (a range)


def _predictions_text(emotion: np.ndarray | None, affect: np.ndarray | None, of: "Prediction | Models") -> str:
    parts = ["no emotion".ljust(32)]
    if emotion is not None:
        first, second = np.argsort(-emotion)[:2]
        parts = [f"{of.classes[first]} {emotion[first]:.0%} ({of.classes[second]} {emotion[second]:.0%})".ljust(32)]
    if affect is not None:
        parts += [f"{t} {m:.2f} ± {s:.2f}" for t, m, s in zip(of.targets, affect.mean(0), affect.std(0), strict=True)]
    return "  ".join(parts).rstrip()


def _window(window: "Window", of: "Prediction") -> dict[str, Any]:
    return {
        "start": _rounded(window.start),
        "end": _rounded(window.end),
        "sound": window.sound,
        "picture": window.picture,
        **_emotion(window.emotion, of.classes),
        "audio_share": None if window.gate is None else _rounded(window.gate),
        **_affect(window.affect, of.targets),
        "attention": {
            name: {"seconds": _rounded(times), "weights": _rounded(weights)}
            for name, (times, weights) in sorted(window.attention.items())
        },
    }


def _emotion(shares: np.ndarray | None, classes: list[str]) -> dict[str, Any]:
    if shares is None:
        return {"predicted": None, "emotion": None}
    return {
        "predicted": classes[int(shares.argmax())],
        "emotion": dict(zip(classes, _rounded(shares), strict=True)),
    }


def _affect(values: np.ndarray | None, targets: list[str]) -> dict[str, Any]:
    """Mean and standard deviation over the models of the folds, and the value of each model."""
    if values is None:
        return dict.fromkeys(targets)
    return {
        target: {"mean": _rounded(of.mean()), "sd": _rounded(of.std()), "folds": _rounded(of)}
        for target, of in zip(targets, values.T, strict=True)
    }


def _corpus(facts: "CorpusFacts") -> dict[str, Any]:
    return {"corpus": facts.corpus, "synthetic": facts.synthetic}


def _rounded(value: Any) -> Any:
    return np.round(np.asarray(value, float), DECIMALS).tolist()
