"""What the models predict for the windows of a recording, and for the whole of it.

Shapes: C emotions, F models of the folds, V targets of the VA models (valence, arousal).
"""

from dataclasses import dataclass

import numpy as np

from avemotion.prediction.recording import Recording

Attention = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of a recording with its predictions; None where sound or picture is missing for a prediction."""

    start: float  # seconds
    end: float
    sound: bool
    picture: bool
    face: bool | None = None  # whether a face was found; None without picture, or where the models look for none
    emotion: np.ndarray | None = None  # [C] probabilities; with folds, the mean over the fusion models
    gate: float | None = None  # share of audio
    affect: np.ndarray | None = None  # [F, V] the targets by the model of each fold
    # name -> (seconds from the recording's start, weights with sum 1), mean over queries:
    # video_to_audio and prosody_to_speech over audio steps, audio_to_video over frames
    attention: Attention


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """All windows of a recording, and notes on missing values."""

    recording: Recording
    windows: list[Window]
    classes: list[str]  # the C emotions
    targets: list[str]  # names of the V targets
    notes: list[str]

    @property
    def emotion(self) -> np.ndarray | None:
        """[C], the mean over windows, weighted by their seconds."""
        return self._mean([window.emotion for window in self.windows])

    @property
    def affect(self) -> np.ndarray | None:
        """[F, V], the mean over windows, weighted by their seconds."""
        return self._mean([window.affect for window in self.windows])

    def _mean(self, values: list[np.ndarray | None]) -> np.ndarray | None:
        present = [(value, w.end - w.start) for value, w in zip(values, self.windows, strict=True) if value is not None]
        return np.average([v for v, _ in present], axis=0, weights=[s for _, s in present]) if present else None
