"""Windows of a sound while it is being recorded."""

import math

import numpy as np

from avemotion.media.sound.downmix import mean
from avemotion.media.sound.resampling import EXACT, resampled
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.prediction import piece_features, recording
from avemotion.prediction.judging import Judge
from avemotion.prediction.recording import Piece
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Window

MARGIN = 10  # steps of the resampler on both sides of a part; its filter is shorter than 8


class Live:
    """Predicts each window as soon as its sound is complete, with the values that the whole recording would have.

    The VA models carry their state from window to window, and every object has its own. Without `voice`, the speaker
    embedding is that of the sound so far, up to its first minute; the whole recording has one embedding of that minute.
    Memory does not grow.
    """

    def __init__(self, models: Models, rate: int, *, window: float, hop: float, voice: np.ndarray | None = None):
        """
        Args:
            rate: Hz of the blocks. window, hop: seconds. voice: [1, S] speaker embedding.

        Raises:
            ValueError: the models need statistics of the whole recording, or the rate has no short step to 16 kHz.
        """
        if models.takes_speaker_statistics:
            raise ValueError(
                "the models were trained with normalise: speaker, so they need all windows of a recording; record "
                "first and predict the file, or train with normalise: corpus"
            )
        self.models, self.rate, self.window, self.hop = models, rate, window, hop
        self._own_voice = voice is None
        self._judge = Judge(models, voice)
        self._resampler = _Resampler(rate)
        self._sound = np.zeros(0, np.float32)  # from the start of the next window, at 16 kHz
        self._dropped = self._judged = 0  # samples before _sound; windows
        self._start = np.zeros(0, np.float32)  # the part of the recording behind its speaker embedding

    def __call__(self, samples: np.ndarray) -> list[Window]:
        """The next block [T] or [T, channels] -> the windows that it completes.

        Raises:
            ValueError: a wrong array, as for predict.
        """
        if not len(samples):
            return []
        mono = mean(recording.samples_of(samples, self.rate, "sound"))
        self._add(self._resampler.push(mono))
        windows = []
        while self._end(self._judged) <= self._dropped + len(self._sound):
            windows.append(self._next(self._end(self._judged), self._judged * self.hop + self.window))
        return windows

    def close(self) -> list[Window]:
        """The last window, if at least half a hop of sound is left for it."""
        self._add(self._resampler.rest())
        samples = self._dropped + len(self._sound)
        if not samples or len(recording.spans(samples / SAMPLE_RATE, self.window, self.hop)) <= self._judged:
            return []
        return [self._next(samples, samples / SAMPLE_RATE)]

    def _end(self, index: int) -> int:
        return round((index * self.hop + self.window) * SAMPLE_RATE)

    def _add(self, sound: np.ndarray) -> None:
        self._sound = np.concatenate([self._sound, sound])
        if self._own_voice and (room := round(piece_features.VOICE * SAMPLE_RATE) - len(self._start)) > 0:
            self._start = np.concatenate([self._start, sound[:room]])

    def _next(self, stop: int, end: float) -> Window:
        """Predict the next window, up to sample `stop`, and drop the sound before the one after it."""
        sound = self._sound[: stop - self._dropped]
        start = self._judged * self.hop
        piece = Piece(name=f"{self._judged:06d}", start=start, end=end, waveform=recording.usable(sound), picture=None)
        if self._own_voice and piece.waveform is not None:
            self._judge.voice = piece_features.speaker_of(self.models, self._start)
        [window], _ = self._judge([piece])
        self._judged += 1
        dropped = round(self._judged * self.hop * SAMPLE_RATE)
        self._sound, self._dropped = self._sound[dropped - self._dropped :], dropped
        return window


class _Resampler:
    """Sound at SAMPLE_RATE of the blocks so far; all parts together equal the resampled whole."""

    def __init__(self, rate: int):
        common = math.gcd(rate, SAMPLE_RATE)
        self.rate, self.before, self.after = rate, rate // common, SAMPLE_RATE // common  # samples of a step
        if max(self.before, self.after) > EXACT:
            raise ValueError(f"rate is {rate}; record at a usual rate such as 16000, 44100 or 48000 Hz")
        self.margin = 0 if rate == SAMPLE_RATE else MARGIN
        self._waiting = np.zeros(0, np.float32)  # from step max(0, _first - margin) on
        self._first = self._samples = 0  # the next step; samples so far

    def push(self, mono: np.ndarray) -> np.ndarray:
        """The next block [T] -> the part [T'] that it determines."""
        self._waiting, self._samples = np.concatenate([self._waiting, mono]), self._samples + len(mono)
        stop = self._samples // self.before - self.margin
        if stop <= self._first:
            return np.zeros(0, np.float32)
        begin = max(0, self._first - self.margin)
        part = self._part(self._waiting[: (stop + self.margin - begin) * self.before], begin, stop * self.after)
        self._first, start = stop, max(0, stop - self.margin)
        self._waiting = self._waiting[(start - begin) * self.before :]
        return part

    def rest(self) -> np.ndarray:
        """The part after the last one, when no block follows."""
        begin = max(0, self._first - self.margin)
        if not len(self._waiting):
            return self._waiting
        return self._part(self._waiting, begin, -(-self._samples * self.after // self.before))

    def _part(self, samples: np.ndarray, begin: int, end: int) -> np.ndarray:
        """Samples from step `begin` on -> resampled, from step _first to sample `end`."""
        whole = np.concatenate(list(resampled([(samples, self.rate)], SAMPLE_RATE)))
        return whole[(self._first - begin) * self.after : end - begin * self.after]
