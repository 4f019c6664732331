"""Log-mel spectrograms of a fixed length, in dB, and the waveform's envelope for pictures."""

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


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.mel`."""

    seconds: float  # shorter recordings are padded with zeros, longer ones are cut
    n_fft: int  # samples at 16 kHz, also the window's length
    hop: int  # samples
    mels: int
    top_db: float | None  # floor below the loudest point of the spectrogram; null = none
    dtype: Literal["float16", "float32"]

    def __post_init__(self) -> None:
        for name in ("seconds", "n_fft", "hop", "mels"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give more than 0")
        if self.top_db is not None and self.top_db <= 0:
            raise ValueError(f"top_db is {self.top_db}; give more than 0, or null for no floor")


@dataclass(frozen=True, kw_only=True)
class MelExtractor(SoundExtractor):
    """Arrays `mel` [frames, mels] dB, `length` [1], the number of frames without padding, and `peaks` [hops, 2],
    the lowest and highest sample of every hop of the whole recording (at most its first noise.MEASURED s)."""

    params: Params
    noise: noise.NoiseViews

    @property
    def views(self) -> list[str]:
        return self.noise.names

    @property
    def seconds(self) -> float:
        return max(self.params.seconds, noise.MEASURED)

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
        waveforms = self.noise.make(waveform, clip)
        log_mel, length = log_mels(waveforms, self.params)
        views = {
            name: {"mel": rows, "length": np.array([length], np.int32), "peaks": peaks(view, self.params.hop)}
            for name, rows, view in zip(self.views, log_mel, waveforms, strict=True)
        }
        return views, {"cut": int(more or len(waveform) > _samples(self.params))}


def configure(file: Path, role: str) -> MelExtractor:
    """The extractor for a role."""
    return MelExtractor(params=params_file.read(file, "features.mel", Params), noise=noise.configure(file, role))


def restore(settings: dict[str, Any], device: str) -> MelExtractor:
    """The extractor that a checkpoint's settings describe, for clean recordings."""
    return MelExtractor(params=Params(**settings["params"]), noise=noise.CLEAN_ONLY)


def log_mels(waveforms: np.ndarray, settings: Params) -> tuple[np.ndarray, int]:
    """waveforms [B, samples] -> log-mel [B, T, mels] in dB, T = 1 + padded samples // hop, and the number of real
    frames.

    Frame t is centred on sample t * hop. Power 1 is 0 dB; the floor is 1e-10, or top_db below the maximum.
    """
    import torch

    samples = _samples(settings)
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


def _samples(settings: Params) -> int:
    return round(settings.seconds * SAMPLE_RATE)


@lru_cache(maxsize=1)
def _transforms(settings: Params) -> "tuple[torch.nn.Module, torch.nn.Module]":
    import torchaudio

    spectrogram = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_fft=settings.n_fft, win_length=settings.n_fft, hop_length=settings.hop, n_mels=settings.mels
    )
    return spectrogram, torchaudio.transforms.AmplitudeToDB("power", top_db=settings.top_db)
