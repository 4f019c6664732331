"""Noise-augmented views: recordings with added noise at given signal-to-noise ratios."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from avemotion.formats.feature_store import CLEAN
from avemotion.media.waveforms import SAMPLE_RATE, read_waveform
from avemotion.system import experiment_copy, params_file
from avemotion.system.media_error import MediaError
from avemotion.system.seeds import seed_for

RECORDING = Path("data/Noise/noise.wav")  # optional; without this file the noise is Gaussian
LONGEST = 600.0  # seconds of the file in use
SHORTEST = 0.1  # seconds; a shorter recording, repeated, would be a tone or a click
MEASURED = (
    60.0  # seconds of a clip that define the ratio; every extractor reads at least these, so all get the same noise
)


@dataclass(frozen=True, kw_only=True)
class NoiseViews:
    """The clean view and one view per SNR. All extractors of a clip use the same noise."""

    snrs: tuple[float, ...]  # dB
    seed: int
    recording: str  # hash of RECORDING, empty without such a file

    @property
    def names(self) -> list[str]:
        """clean, snr_20, ..."""
        return [CLEAN, *(view_name(snr) for snr in self.snrs)]

    @property
    def source(self) -> str:
        """The origin of the noise, for the index and the metrics; the digits are those of the file's hash."""
        return f"{RECORDING.as_posix()} {self.recording[:12]}" if self.recording else "gaussian"

    def make(self, waveform: np.ndarray, clip: str) -> np.ndarray:
        """waveform [samples], the first MEASURED seconds of a clip or more -> float32 [views, samples], as in names."""
        noisy = [self._mix(waveform, snr, clip) for snr in self.snrs]
        return np.stack([waveform, *noisy])

    def _mix(self, waveform: np.ndarray, snr: float, clip: str) -> np.ndarray:
        import torch
        import torchaudio.functional as AF

        rng = np.random.default_rng(seed_for(self.seed, clip, f"{snr:g}dB"))
        measured = min(len(waveform), round(MEASURED * SAMPLE_RATE))
        if self.recording:
            noise = _segment(len(waveform), measured, rng)
        else:
            noise = rng.standard_normal(len(waveform), np.float32)
        lengths = None if measured == len(waveform) else torch.tensor(measured)
        mixed = AF.add_noise(torch.from_numpy(waveform), torch.from_numpy(noise), torch.tensor(snr), lengths)
        return mixed.numpy()


CLEAN_ONLY = NoiseViews(snrs=(), seed=0, recording="")  # no noisy view


def configure(file: Path, role: str) -> NoiseViews:
    """The views of a role, from views.<role> and views.seed."""
    snrs = params_file.read(file, f"views.{role}", list[float])
    seed = params_file.read(file, "views.seed", int)
    if len({view_name(snr) for snr in snrs}) < len(snrs):
        raise ValueError(f"{file}: views.{role} is {snrs}; give each SNR once")
    return NoiseViews(snrs=tuple(snrs), seed=seed, recording=_hash() if snrs else "")


def _hash() -> str:
    """The hash of RECORDING; empty without such a file."""
    try:
        with RECORDING.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except FileNotFoundError:
        experiment_copy.refuse_left_behind(RECORDING, str(RECORDING))  # the noise would be Gaussian without a word
        return ""
    except OSError as error:
        raise ValueError(f"{RECORDING}: cannot be opened ({error.strerror}); repair or remove it") from error


def view_name(snr: float) -> str:
    """20.0 -> snr_20, 7.5 -> snr_7_5: a name that `-S augment.audio.views.snr_20=2` accepts."""
    return f"snr_{snr:g}".replace(".", "_")


def _segment(samples: int, measured: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of the recording; a recording that is too short is repeated from a random point.

    If the measured samples would all be silent, the part starts after the silence.
    """
    noise = _recording()
    start = int(rng.integers(max(1, len(noise) - measured + 1) if len(noise) >= measured else len(noise)))
    if not np.take(noise, np.arange(start, start + measured), mode="wrap").any():
        start += int(np.flatnonzero(np.roll(noise, -start))[0])
    return np.take(noise, np.arange(start, start + samples), mode="wrap")


@lru_cache(maxsize=1)
def _recording() -> np.ndarray:
    try:
        noise = read_waveform(RECORDING, seconds=LONGEST)
    except MediaError as error:  # a fault of this file, not of the clip that gets the noise
        raise ValueError(f"{error}, or remove it: the noise is then Gaussian") from error
    if len(noise) < SHORTEST * SAMPLE_RATE or not noise.any():
        fault = "silent" if len(noise) >= SHORTEST * SAMPLE_RATE else f"{len(noise) / SAMPLE_RATE:.4f} s long"
        remedy = f"give {SHORTEST:g} s of noise or more, or remove it: it is then Gaussian"
        raise ValueError(f"{RECORDING}: {fault}; {remedy}")
    return noise
