"""`avemotion.load`: the trained models of a project, for any number of recordings."""

import contextlib
import os
from pathlib import Path

import numpy as np

from avemotion.params.training.audio import feature_kind
from avemotion.prediction import judging, output, recording, relative, trained_models, window_lengths
from avemotion.prediction.judging import Progress
from avemotion.prediction.live import Live
from avemotion.prediction.own_windows import Own
from avemotion.prediction.piece_features import speaker
from avemotion.prediction.recording import Recording
from avemotion.prediction.result import Result, result
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Prediction
from avemotion.scoring.results import MODELS
from avemotion.system import runtime

Source = str | os.PathLike | np.ndarray  # a media file, or samples [T] or [T, channels]


class Predictor:
    """Trained models that predict one recording after another.

    Calls are independent of each other. Feature extraction sets torch to one thread.
    """

    def __init__(self, models: Models):
        self.models = models

    @property
    def notes(self) -> list[str]:
        """What holds for every prediction of these models, such as that they were trained on the synthetic sample."""
        return output.warnings(self.models)

    def predict(
        self,
        source: Source,
        rate: int | None = None,
        *,
        window: float | None = None,
        hop: float | None = None,
        voice: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Emotion, valence and arousal of every window of a recording.

        Args:
            source: path of an audio or video file, or an array of sound: [T] or [T, channels], floats with full scale
                1 or signed integers with that of their type.
            rate: sampling rate of an array in Hz.
            window: seconds of a window; None = 4, or less where the mel encoder takes less of a clip.
            hop: seconds from window to window; None = the window.
            voice: speaker embedding [1, S] from `voice`; None = that of the recording.
            progress: called as progress(windows done, windows); an exception from it ends the prediction.

        Raises:
            ValueError: no recording, a wrong array or rate, or a window or hop out of range.
        """
        found = self.windows(read(source, rate), window=window, hop=hop, voice=voice, progress=progress)
        return result(found, self.models.affect.scale if self.models.affect else None)

    def windows(
        self,
        of: Recording,
        *,
        window: float | None = None,
        hop: float | None = None,
        voice: np.ndarray | None = None,
        own: Own | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """The same for a recording that is read already, window by window, as `commands.predict` shows it.

        own: windows of the speaker behind the statistics that models take; None = those of the recording itself.
        """
        window, hop = self.lengths(window, hop)
        return judging.predict(of, self.models, window=window, hop=hop, voice=voice, own=own, progress=progress)

    def live(
        self,
        rate: int,
        *,
        window: float | None = None,
        hop: float | None = None,
        voice: np.ndarray | None = None,
    ) -> Live:
        """Predicts a sound while it is being recorded, block by block at `rate` Hz; the arguments are those of predict.

        Raises:
            ValueError: the models need the whole recording, or an argument is out of range.
        """
        window, hop = self.lengths(window, hop)
        return Live(self.models, rate, window=window, hop=hop, voice=voice)

    def lengths(self, window: float | None, hop: float | None) -> tuple[float, float]:
        """Seconds of a window and from window to window, with the usual values for None.

        Raises:
            ValueError: a value is out of range.
        """
        window_lengths.check(window, hop)
        window = window or self._usual_window()
        return window, min(hop or window, window)

    def voice(self, *sources: Source, rate: int | None = None) -> np.ndarray | None:
        """Speaker embedding [1, S]: the mean over recordings of one speaker; None where the models use none.

        Raises:
            ValueError: a source is no recording or has no sound.
        """
        return relative.voice([speaker(self.models, read(source, rate)) for source in sources])

    def _usual_window(self) -> float:
        """WINDOW, or less if the input of the audio encoder is shorter."""
        audio = self.models.audio
        if audio is None or feature_kind(audio["encoder"]) == "wavlm":
            return window_lengths.WINDOW
        return min(window_lengths.WINDOW, self.models.settings["mel"]["params"]["seconds"] or window_lengths.WINDOW)


def load(folder: str | os.PathLike = MODELS, device: str = "auto") -> Predictor:
    """The trained models of a project.

    Args:
        folder: data/models of a project; data/manifest beside it has the facts of the corpora.
        device: auto (a GPU where there is one), cpu, cuda or cuda:N.

    Raises:
        ValueError: models are missing, damaged, or from different runs.
    """
    folder = Path(folder).absolute()
    root = folder.parents[len(MODELS.parts) - 1] if len(folder.parts) > len(MODELS.parts) else folder
    if root / MODELS != folder:
        raise ValueError(f"{folder}: no folder of trained models; give {MODELS} of a project, with data/manifest in it")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; run `dvc repro` to train models, or `dvc pull` to fetch them")
    where = runtime.device(device)
    with contextlib.chdir(root):  # settings may name weights by paths relative to the project
        return Predictor(trained_models.load(where, root))


def read(source: Source, rate: int | None = None) -> Recording:
    """A recording from a media file, or from an array with its rate.

    Raises:
        ValueError: no recording; an array without its rate, or a file with one.
    """
    if isinstance(source, np.ndarray):
        if rate is None:
            raise ValueError("an array needs its sampling rate in Hz: predict(array, 16000)")
        return recording.of_array(source, rate)
    if not isinstance(source, str | os.PathLike):
        raise ValueError(f"a recording is a path or a numpy array, not a {type(source).__name__}")
    if rate is not None:
        raise ValueError(f"{source}: rate is {rate}, but a file has its own; give a rate with arrays alone")
    return recording.read(Path(source))
