"""Sound from the microphone, through PortAudio (python-sounddevice)."""

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from avemotion.prediction import recording
from avemotion.prediction.judging import finished
from avemotion.prediction.predictor import Predictor
from avemotion.prediction.windows import Prediction, Window

NAME = "microphone"
WAIT = 0.1  # seconds between looks at whether to stop
REMEDY = "run with `uv run --extra microphone python -m commands.predict --microphone`"


class Microphone:
    """The default input device, at its own rate."""

    def __init__(self) -> None:
        """
        Raises:
            ValueError: the package, PortAudio or an input device is missing.
        """
        try:
            import sounddevice
        except ImportError as error:
            raise ValueError(f"--microphone needs the package sounddevice; {REMEDY}") from error
        except OSError as error:
            raise ValueError(
                f"--microphone needs the PortAudio library ({error}); install it, on Debian and Ubuntu: "
                "apt install libportaudio2"
            ) from error
        self._library: Any = sounddevice
        try:
            device = sounddevice.query_devices(kind="input")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise ValueError(f"no microphone is found ({error}); connect one, or give a file") from error
        self.name, self.rate = device["name"], int(device["default_samplerate"])
        self.lost = 0  # gaps: blocks before which samples were dropped

    def blocks(self, seconds: float, stop: threading.Event) -> Iterator[np.ndarray]:
        """Blocks [T] of so many seconds in all, or until stop is set.

        Raises:
            ValueError: the device does not open.
        """
        waiting: queue.SimpleQueue[tuple[np.ndarray, bool]] = queue.SimpleQueue()

        def keep(samples: np.ndarray, frames: int, time: Any, status: Any) -> None:
            waiting.put((samples[:, 0].copy(), bool(status.input_overflow)))

        left = seconds * self.rate
        try:
            with self._library.InputStream(samplerate=self.rate, channels=1, dtype="float32", callback=keep):
                while left >= 1 and not stop.is_set():
                    try:
                        block, gap = waiting.get(timeout=WAIT)
                    except queue.Empty:
                        continue
                    yield (block := self._counted(block, gap, left))
                    left -= len(block)
        except self._library.PortAudioError as error:
            raise ValueError(f"{self.name}: cannot be opened ({error}); choose another input device") from error
        while left >= 1 and not waiting.empty():  # recorded before stop was set
            yield (block := self._counted(*waiting.get(), left))
            left -= len(block)

    def _counted(self, block: np.ndarray, gap: bool, left: float) -> np.ndarray:
        """A block, cut to the samples that are left to record; counts a gap before it."""
        self.lost += gap
        return block[: int(min(left, len(block)))]


def listen(
    predictor: Predictor,
    seconds: float,
    show: Callable[[Window], None],
    *,
    window: float | None = None,
    hop: float | None = None,
    voice: np.ndarray | None = None,
) -> Prediction:
    """Predict what the microphone records, for so many seconds or until Ctrl-C.

    Args:
        show: called with each window as soon as its sound is complete.

    Raises:
        ValueError: no microphone, no sound, or as Predictor.live.
    """
    source = Microphone()
    live, samples, windows = predictor.live(source.rate, window=window, hop=hop, voice=voice), [], []
    with _interrupted() as stop:
        for block in source.blocks(seconds, stop):
            samples.append(block)
            for complete in live(block):
                windows.append(complete)
                show(complete)
    for last in live.close():
        windows.append(last)
        show(last)
    if not windows:
        raise ValueError(f"{NAME}: nothing is recorded")
    of = recording.of_array(np.concatenate(samples), source.rate, NAME)
    notes = [f"{NAME}: {source.lost} gaps: the machine was too slow"] if source.lost else []
    return finished(of, windows, notes, predictor.models)


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets in place of an exception, which would end a prediction in the middle."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
