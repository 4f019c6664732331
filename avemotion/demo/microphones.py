"""Microphones of open pages, predicted window by window while they record."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.demo import answers
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.prediction.judging import finished
from avemotion.prediction.live import Live
from avemotion.prediction.predictor import Predictor
from avemotion.prediction.recording import Recording
from avemotion.prediction.windows import Prediction, Window

NAME = "microphone"
SILENT = 60.0  # seconds without a block after which a page is gone


@dataclass
class _Recording:
    live: Live
    lock: threading.Lock = field(default_factory=threading.Lock)
    windows: list[Window] = field(default_factory=list)
    seconds: float = 0.0  # of sound so far
    last: float = 0.0  # time of the last block


class Microphones:
    """One recording for each id. A page draws the id at random, and sends its blocks one after another."""

    def __init__(self, predictor: Predictor):
        self.predictor = predictor
        self._recordings: dict[str, _Recording] = {}

    def hear(self, page: str, rate: int, samples: np.ndarray) -> dict[str, Any]:
        """Take the next block [T] int16 of a page; returns the windows that it completes, and what they cost.

        Raises:
            ValueError: the models need the whole recording, or the rate is unusual.
        """
        if page not in self._recordings:
            self._recordings[page] = _Recording(self.predictor.live(rate))
        of = self._recordings[page]
        with of.lock:
            started = of.last = time.monotonic()
            windows = of.live(samples)
            of.windows += windows
            of.seconds += len(samples) / rate
            shown = answers.shown(self._prediction(of.seconds, windows), self.predictor.models)
            return {
                "seconds": of.seconds,
                "windows": shown["recording"]["windows"],
                "computing": time.monotonic() - started,
            }

    def finish(self, page: str) -> dict[str, Any] | None:
        """The whole answer of a page, after its last window; None without a window."""
        of = self._recordings.pop(page, None)
        if of is None:
            return None
        with of.lock:
            of.windows += of.live.close()
            if not of.windows:
                return None
            prediction = self._prediction(of.seconds, of.windows)
            return answers.shown(prediction, self.predictor.models) | {
                "files": answers.files(prediction, self.predictor)
            }

    def sweep(self, now: float) -> None:
        """Forget the recordings of pages that are gone; now: time.monotonic()."""
        for page, of in list(self._recordings.items()):
            if now - of.last > SILENT:
                self._recordings.pop(page, None)

    def _prediction(self, seconds: float, windows: list[Window]) -> Prediction:
        # The sound itself is not kept: one zero stands for all of it.
        sound = np.broadcast_to(np.float32(0), round(seconds * SAMPLE_RATE))
        recording = Recording(name=NAME, path=Path(NAME), waveform=sound, picture_start=0.0, picture_end=0.0, notes=[])
        return finished(recording, windows, [], self.predictor.models)
