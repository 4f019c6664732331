"""Noise-augmented views: a recording heard at chosen signal-to-noise ratios."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torchaudio.functional as AF

from stages.lib import params
from stages.lib.compute import seed_for
from stages.lib.features.store import CLEAN
from stages.lib.media.audio import SAMPLE_RATE, read_waveform

RECORDING = Path("data/Noise/noise.wav")  # optional; Gaussian noise where it is not there


@dataclass(frozen=True, kw_only=True)
class NoiseViews:
    """The clean view and one per SNR. The same noise serves every extractor of a clip."""

    snrs: tuple[float, ...]  # dB
    seed: int
    recording: str  # hash of RECORDING, empty where there is none

    @property
    def names(self) -> list[str]:
        """clean, 20dB, ..."""
        return [CLEAN, *(view_name(snr) for snr in self.snrs)]

    @property
    def source(self) -> str:
        """Where the noise comes from, for the index."""
        return RECORDING.as_posix() if self.recording else "gaussian"

    def make(self, waveform: np.ndarray, clip: str) -> np.ndarray:
        """waveform [samples] -> float32 [views, samples], in the order of names."""
        noisy = [self._mix(waveform, snr, clip) for snr in self.snrs]
        return np.stack([waveform, *noisy])

    def _mix(self, waveform: np.ndarray, snr: float, clip: str) -> np.ndarray:
        rng = np.random.default_rng(seed_for(self.seed, clip, view_name(snr)))
        noise = _segment(len(waveform), rng) if self.recording else rng.standard_normal(len(waveform), np.float32)
        mixed = AF.add_noise(torch.from_numpy(waveform), torch.from_numpy(noise), torch.tensor(snr))
        return mixed.numpy()


def configure(file: Path, role: str) -> NoiseViews:
    """The views of a role, from views.<role> and views.seed."""
    snrs = params.read(file, f"views.{role}", list[float])
    seed = params.read(file, "views.seed", int)
    if len({view_name(snr) for snr in snrs}) < len(snrs):
        raise ValueError(f"{file}: views.{role} is {snrs}; give each SNR once")
    recording = hashlib.blake2b(RECORDING.read_bytes(), digest_size=16).hexdigest() if RECORDING.exists() else ""
    return NoiseViews(snrs=tuple(snrs), seed=seed, recording=recording if snrs else "")


def view_name(snr: float) -> str:
    """20.0 -> 20dB."""
    return f"{snr:g}dB"


def _segment(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A random stretch of the recording; one that is too short is repeated from a random point."""
    noise = _recording()
    start = int(rng.integers(max(1, len(noise) - samples + 1) if len(noise) >= samples else len(noise)))
    segment = np.take(noise, np.arange(start, start + samples), mode="wrap")
    if not segment.any():
        raise ValueError(f"{RECORDING}: silent from {start / SAMPLE_RATE:.2f} s; remove the silence from it")
    return segment


@lru_cache(maxsize=1)
def _recording() -> np.ndarray:
    return read_waveform(RECORDING)
