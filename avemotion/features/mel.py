"""Log-mel spectrograms in dB, of a fixed length or of the whole recording, and the waveform's envelope for pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from avemotion.extraction.last_run import Counts
from avemotion.features.parts import noise
from avemotion.features.parts.sound import Sound, SoundExtractor
from avemotion.formats import feature_store
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.system import params_file

if TYPE_CHECKING:
    import torch

FRAME, STEP, MARGIN = 400, 160, 800  # samples of trimming: frames of 25 ms every 10 ms, 50 ms kept on both sides


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.mel`."""

    trim_db: float | None  # cuts both ends where they are quieter than the loudest 25 ms by more than this; null = none
    seconds: float | None  # shorter recordings are padded with zeros, longer ones are cut; null = as long as they are
    n_fft: int  # samples at 16 kHz
    window: int  # samples, at most n_fft
    hop: int  # samples
    mels: int
    low: float  # Hz, lower edge of the lowest band
    high: float  # Hz, upper edge of the highest band
    top_db: float | None  # floor below the loudest point of the spectrogram; null = none
    dtype: Literal["float16", "float32"]

    def __post_init__(self) -> None:
        for name in ("seconds", "n_fft", "window", "hop", "mels"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} is {value}; give more than 0")
        if self.window > self.n_fft:
            raise ValueError(f"window is {self.window}; give at most n_fft ({self.n_fft})")
        if not 0 <= self.low < self.high <= SAMPLE_RATE / 2:
            raise ValueError(f"low is {self.low} and high {self.high}; give 0 <= low < high <= {SAMPLE_RATE // 2} Hz")
        for name, without in (("top_db", "no floor"), ("trim_db", "the whole recording")):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} is {value}; give more than 0, or null for {without}")


@dataclass(frozen=True, kw_only=True)
class MelExtractor(SoundExtractor):
    """Arrays of a recording, of which the first noise.MEASURED s are read, or `seconds` where that is more.

    mel: [frames, mels] dB. length: [1], the number of frames without padding. start: [1], the time of the first frame,
    in seconds that trimming cut off. peaks: [hops, 2], the lowest and highest sample of every hop, without trimming.
    """

    params: Params
    noise: noise.NoiseViews

    @property
    def views(self) -> list[str]:
        return self.noise.names

    @property
    def seconds(self) -> float:
        return max(self.params.seconds or 0.0, noise.MEASURED)

    def facts(self) -> dict[str, Any]:
        return {
            "sample_rate": SAMPLE_RATE,
            "hop_seconds": self.params.hop / SAMPLE_RATE,
            "unit": "dB",
            "noise": self.noise.source,
        }

    def extract_sounds(self, sounds: Sequence[Sound]) -> list[tuple[feature_store.Views, Counts]]:
        return [self._rows(*sound) for sound in sounds]

    def _rows(self, clip: str, waveform: np.ndarray, more: bool) -> tuple[feature_store.Views, Counts]:
        import torch

        torch.set_num_threads(1)  # work is parallel by process; more threads could change the last bit of a sum
        waveforms, part = self.noise.make(waveform, clip), loud_part(waveform, self.params.trim_db)
        log_mel, length = log_mels(waveforms[:, part], self.params)
        times = {"length": np.array([length], np.int32), "start": np.array([part.start / SAMPLE_RATE], np.float32)}
        views = {
            name: {"mel": rows, **times, "peaks": peaks(view, self.params.hop)}
            for name, rows, view in zip(self.views, log_mel, waveforms, strict=True)
        }
        samples = part.stop - part.start
        return views, {"cut": int(more or samples > _samples(self.params, samples))}


def configure(file: Path, role: str) -> MelExtractor:
    """The extractor for a role."""
    return MelExtractor(params=params_file.read(file, "features.mel", Params), noise=noise.configure(file, role))


def restore(settings: dict[str, Any], device: str) -> MelExtractor:
    """The extractor that a checkpoint's settings describe, for clean recordings."""
    return MelExtractor(params=Params(**settings["params"]), noise=noise.CLEAN_ONLY)


def loud_part(waveform: np.ndarray, trim_db: float | None) -> slice:
    """The part of waveform [samples] from its first to its last loud frame, with MARGIN on both sides.

    Frames are 25 ms long, one every 10 ms; a loud one has a power of at least that of the loudest, less trim_db. None,
    silence and a recording shorter than a frame give the whole.
    """
    if trim_db is None or len(waveform) < FRAME:
        return slice(0, len(waveform))
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), FRAME)[::STEP]
    power = np.square(frames).mean(1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-trim_db / 10))
    first, last = int(loud[0]) * STEP, int(loud[-1]) * STEP + FRAME
    return slice(max(0, first - MARGIN), min(len(waveform), last + MARGIN))


def log_mels(waveforms: np.ndarray, settings: Params) -> tuple[np.ndarray, int]:
    """waveforms [B, samples] -> log-mel [B, T, mels] in dB, T = 1 + padded samples // hop, and the number of real
    frames.

    Frame t is centred on sample t * hop. Power 1 is 0 dB; the floor is 1e-10, or top_db below the maximum.
    """
    import torch

    samples = _samples(settings, waveforms.shape[1])
    real = min(waveforms.shape[1], samples)
    window = np.zeros((len(waveforms), samples), np.float32)
    window[:, :real] = waveforms[:, :real]
    spectrogram, to_db = _transforms(settings)
    # [B, 1, M, T]: with the extra axis, top_db applies to each recording separately.
    decibel = to_db(spectrogram(torch.from_numpy(window).unsqueeze(1))).squeeze(1).transpose(1, 2)
    return decibel.contiguous().numpy().astype(settings.dtype), min(1 + real // settings.hop, decibel.shape[1])


def peaks(waveform: np.ndarray, hop: int) -> np.ndarray:
    """Lowest and highest of every hop samples: waveform [S] -> [ceil(S / hop), 2] float16."""
    starts = np.arange(0, len(waveform), hop)
    ends = [function.reduceat(waveform, starts) for function in (np.minimum, np.maximum)]
    return np.stack(ends, axis=1).clip(-2, 2).astype(np.float16)  # full scale is 1


def _samples(settings: Params, given: int) -> int:
    """Samples of the spectrogram of `given` samples, at least those that the first window reflects at the edge."""
    if settings.seconds is None:
        return max(given, settings.n_fft // 2 + 1)
    return round(settings.seconds * SAMPLE_RATE)


@lru_cache(maxsize=1)
def _transforms(settings: Params) -> "tuple[torch.nn.Module, torch.nn.Module]":
    import torchaudio

    spectrogram = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE,
        n_fft=settings.n_fft,
        win_length=settings.window,
        hop_length=settings.hop,
        f_min=settings.low,
        f_max=settings.high,
        n_mels=settings.mels,
    )
    return spectrogram, torchaudio.transforms.AmplitudeToDB("power", top_db=settings.top_db)
