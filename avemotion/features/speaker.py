"""Speaker embeddings: unit vectors that differ between speakers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from avemotion.extraction.last_run import Counts
from avemotion.features.parts.sound import Sound, SoundExtractor
from avemotion.formats import feature_store
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.params.shared.compute import ComputeParams
from avemotion.system import params_file

if TYPE_CHECKING:
    import torch
    from transformers import WavLMForXVector

STATISTICS_DIM = 192  # as ECAPA-TDNN's, so that either can replace the other
BANDS = 64
SHORTEST = SAMPLE_RATE  # samples; the networks' pooling needs several frames, so shorter sounds are padded with silence


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.speaker`."""

    model: Literal["statistics", "xvector", "ecapa"]  # no weights needed; WavLM x-vector; ECAPA-TDNN
    source: str | None  # hub id or folder of the weights; null = the usual ones
    max_seconds: float  # the rest of a longer recording is not used

    def __post_init__(self) -> None:
        if self.max_seconds < 1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 1 or more")
        if self.model == "statistics" and self.source is not None:
            raise ValueError(f"source is {self.source!r}, but the statistics embedding has no weights; set it to null")


USUAL = {"xvector": "microsoft/wavlm-base-plus-sv", "ecapa": "speechbrain/spkrec-ecapa-voxceleb"}


@dataclass(frozen=True, kw_only=True)
class SpeakerExtractor(SoundExtractor):
    """Array `embedding` [1, D] of Euclidean norm 1: D 192 (statistics, ecapa) or 512 (xvector)."""

    params: Params
    device: str = field(repr=False)

    @property
    def views(self) -> list[str]:
        return [feature_store.CLEAN]

    @property
    def seconds(self) -> float:
        return self.params.max_seconds

    def facts(self) -> dict[str, Any]:
        source = self.params.source or USUAL.get(self.params.model)
        return {"model": self.params.model, "source": source, "untrained": source is None, "sample_rate": SAMPLE_RATE}

    def extract_sounds(self, sounds: Sequence[Sound]) -> list[tuple[feature_store.Views, Counts]]:
        return [self._rows(*sound) for sound in sounds]

    def _rows(self, clip: str, waveform: np.ndarray, more: bool) -> tuple[feature_store.Views, Counts]:
        import torch

        torch.set_num_threads(1)  # work is parallel by process; more threads could change the last bit of a sum
        short = len(waveform) < SHORTEST
        if short:
            waveform = np.pad(waveform, (0, SHORTEST - len(waveform)))
        vector = EMBEDDINGS[self.params.model](torch.from_numpy(waveform), self.params.source, self.device)
        vector = vector.double() / vector.double().norm()
        return {feature_store.CLEAN: {"embedding": vector.float()[None].numpy()}}, {
            "padded": int(short),
            "cut": int(more),
        }


def configure(file: Path, role: str) -> SpeakerExtractor:
    """The extractor; the same for both roles."""
    settings = params_file.read(file, "features.speaker", Params)
    return SpeakerExtractor(params=settings, device=params_file.read(file, "compute", ComputeParams).device)


def restore(settings: dict[str, Any], device: str) -> SpeakerExtractor:
    """The extractor that a checkpoint's settings describe."""
    return SpeakerExtractor(params=Params(**settings["params"]), device=device)


def statistics(waveform: "torch.Tensor", source: str | None, device: str) -> "torch.Tensor":
    """waveform [samples] -> [192]: the long-term shape of the spectrum, a classic speaker cue.

    Mean and standard deviation of 64 log-mel bands without the frame's level, over the frames within 30 dB of the
    loudest one. A fixed random rotation maps them into 192 dimensions and keeps all distances. Nothing is trained, so
    similarity within a speaker is much weaker than ECAPA-TDNN's.
    """
    import torch

    log_mel = (_spectrogram()(waveform) + 1e-10).log10() * 10  # [bands, T]
    level = log_mel.mean(0)
    shape = (log_mel - level)[:, level >= level.max() - 30]
    mean, deviation = shape.mean(1), shape.std(1, correction=0)
    return _rotation() @ torch.cat([mean, 2 * deviation])  # deviations are about half as large as means


def xvector(waveform: "torch.Tensor", source: str | None, device: str) -> "torch.Tensor":
    """waveform [samples] -> [512] (WavLM with an x-vector head, Chen et al. 2022)."""
    import torch

    model = _xvector(source or USUAL["xvector"], device)
    with torch.inference_mode():
        return model(waveform[None].to(model.device)).embeddings[0].cpu()


def ecapa(waveform: "torch.Tensor", source: str | None, device: str) -> "torch.Tensor":
    """waveform [samples] -> [192] (ECAPA-TDNN, Desplanques et al. 2020, through speechbrain)."""
    import torch

    with torch.inference_mode():
        return _ecapa(source or USUAL["ecapa"], device).encode_batch(waveform[None]).reshape(-1).cpu()


EMBEDDINGS = {"statistics": statistics, "xvector": xvector, "ecapa": ecapa}


@lru_cache(maxsize=1)
def _spectrogram() -> "torch.nn.Module":
    import torchaudio

    return torchaudio.transforms.MelSpectrogram(SAMPLE_RATE, n_fft=1024, win_length=640, hop_length=320, n_mels=BANDS)


@lru_cache(maxsize=1)
def _rotation() -> "torch.Tensor":
    """[192, 128] with orthonormal columns, the same in every run."""
    import torch

    gaussian = np.random.default_rng(0).standard_normal((STATISTICS_DIM, 2 * BANDS))
    return torch.from_numpy(np.linalg.qr(gaussian)[0].astype(np.float32))


@lru_cache(maxsize=1)
def _xvector(source: str, device: str) -> "WavLMForXVector":
    from transformers import WavLMForXVector

    from avemotion.models.speech import strict_loading
    from avemotion.system import runtime

    model = strict_loading.load(WavLMForXVector, source, None, "features.speaker.source")
    return model.to(runtime.device(device))


@lru_cache(maxsize=1)
def _ecapa(source: str, device: str) -> Any:
    from avemotion.system import runtime

    try:
        from speechbrain.inference.speaker import EncoderClassifier
    except ImportError as error:
        raise ValueError(
            "features.speaker.model is ecapa, which needs the optional package speechbrain; run with "
            "`uv run --with speechbrain dvc repro`, or choose statistics or xvector"
        ) from error
    try:
        return EncoderClassifier.from_hparams(source, run_opts={"device": str(runtime.device(device))})
    except (OSError, ValueError, RuntimeError, KeyError) as error:  # KeyError: a folder with other hyperparams
        raise ValueError(
            f"features.speaker.source {source!r} (ecapa) is neither a folder with the model, nor in the local "
            "cache, nor downloadable; connect to the network once, name a folder, or choose model statistics"
        ) from error
