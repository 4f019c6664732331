"""A prediction as arrays, for programs."""

from dataclasses import dataclass

import numpy as np

from avemotion.prediction.windows import Attention, Prediction


@dataclass(frozen=True, kw_only=True)
class Result:
    """The predictions for one recording.

    Shapes: W windows, C emotions, F models (one per fold). All times are seconds from the start of the recording. A
    value is NaN in a window that lacks the sound or picture that it needs; an array is None where no model predicts it.
    """

    name: str  # path as given, or "array"
    seconds: float  # length of the recording
    windows: np.ndarray  # [W, 2] start and end
    sound: np.ndarray  # [W] bool: whether the window has sound
    picture: np.ndarray  # [W] bool
    face: np.ndarray  # [W] 1 where a face was found, 0 where none; NaN without picture, or where models look for none
    classes: tuple[str, ...]  # the C emotions
    emotion: np.ndarray | None  # [W, C] probabilities; rows sum to 1
    gate: np.ndarray | None  # [W] share of audio in the fusion, 0 to 1
    affect: dict[str, np.ndarray]  # "valence", "arousal" -> [W, F] in the units of `scale`; empty without VA models
    scale: dict[str, tuple[float, float]]  # "valence", "arousal" -> lowest and highest rating of the training corpus
    # One dict per window: name -> (seconds [T], weights [T] with sum 1), the mean over queries. video_to_audio and
    # prosody_to_speech: over steps of sound; audio_to_video: over frames.
    attention: tuple[Attention, ...]
    mean_emotion: np.ndarray | None  # [C] mean over windows, weighted by their seconds; None where none has an emotion
    mean_affect: dict[str, np.ndarray]  # "valence", "arousal" -> [F], the same mean; empty where no window has one
    notes: tuple[str, ...]  # what was not used of the recording, or not as usual, with the reason

    @property
    def predicted(self) -> tuple[str | None, ...]:
        """The most probable emotion of each window; None where there is none."""
        if self.emotion is None:
            return (None,) * len(self.windows)
        return tuple(None if np.isnan(of[0]) else self.classes[int(of.argmax())] for of in self.emotion)


def result(of: Prediction, scale: dict[str, list[float]] | None) -> Result:
    """The arrays of a prediction.

    Args:
        scale: lowest and highest rating of the corpus of the VA models; None = there are no VA models.
    """
    windows, targets = of.windows, of.targets if scale is not None else []
    emotion = _rows([w.emotion for w in windows], len(of.classes)) if of.classes else None
    gates = _rows([None if w.gate is None else np.array([w.gate]) for w in windows], 1)[:, 0]
    affect = [w.affect for w in windows]
    models = next((len(values) for values in affect if values is not None), 1)
    filled = np.stack([np.full((models, len(of.targets)), np.nan) if v is None else v for v in affect])
    return Result(
        name=of.recording.name,
        seconds=of.recording.seconds,
        windows=np.array([(w.start, w.end) for w in windows], float),
        sound=np.array([w.sound for w in windows]),
        picture=np.array([w.picture for w in windows]),
        face=np.array([np.nan if w.face is None else float(w.face) for w in windows]),
        classes=tuple(of.classes),
        emotion=emotion,
        gate=None if np.isnan(gates).all() else gates,
        affect={target: filled[:, :, k] for k, target in enumerate(targets)},
        scale={target: (float(scale[target][0]), float(scale[target][1])) for target in targets} if scale else {},
        attention=tuple(w.attention for w in windows),
        mean_emotion=of.emotion,
        mean_affect={} if of.affect is None else {target: of.affect[:, k] for k, target in enumerate(targets)},
        notes=tuple(of.notes),
    )


def _rows(values: list[np.ndarray | None], size: int) -> np.ndarray:
    """[W, size]; NaN for None."""
    return np.stack([np.full(size, np.nan) if value is None else np.asarray(value, float) for value in values])
