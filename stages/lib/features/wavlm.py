"""WavLM hidden states: what enters the layers that training may change, and the last one."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from stages.lib import params, runtime
from stages.lib.compute import ComputeParams, seed_for
from stages.lib.data.clips import ClipMedia
from stages.lib.features import noise, precision, store
from stages.lib.features.last_run import Counts
from stages.lib.media.audio import SAMPLE_RATE, read_start
from stages.lib.models import wavlm
from stages.lib.models.wavlm_states import HiddenStates

if TYPE_CHECKING:
    from transformers import WavLMConfig, WavLMModel


BATCH_FRAMES = 1 << 14  # padded frames of 20 ms that a GPU takes at once, about 5 minutes of sound
GROUP = 64  # clips whose rows a GPU sorts into batches by length
COMPARED = 32  # one clip in so many is computed in float32 too, where precision is bf16


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.wavlm`."""

    max_seconds: float  # the rest of a longer recording is left out
    window_seconds: float  # a recording longer than this goes through in windows, joined again
    overlap_seconds: float  # on both sides of a window: heard, but not kept
    precision: runtime.Precision  # of the arithmetic
    dtype: Literal["float16", "float32"]  # of the stored states
    layers: list[int]  # stored besides: outputs of these transformer layers, 0 = what enters the first

    def __post_init__(self) -> None:
        if self.layers != sorted(set(self.layers)) or min(self.layers, default=0) < 0:
            raise ValueError(f"layers is {self.layers}; give numbers from 0 up, ascending, each once")
        if self.max_seconds < 0.1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 0.1 or more")
        if not 0 <= 4 * self.overlap_seconds <= self.window_seconds or self.window_seconds < 1:
            raise ValueError(
                f"overlap_seconds is {self.overlap_seconds}, window_seconds {self.window_seconds}; give a window of a "
                "second or more and at most a quarter of it as overlap"
            )


@dataclass(frozen=True, kw_only=True)
class WavLMExtractor:
    """Arrays `boundary` [T, H], entering the last speech.unfreeze_layers layers, and `last` [T, H];
    `layers` [T, L, H] where features.wavlm.layers names some."""

    params: Params
    speech: wavlm.SpeechParams
    noise: noise.NoiseViews
    device: str = field(repr=False)
    modality = "audio"

    @property
    def views(self) -> list[str]:
        return self.noise.names

    def facts(self) -> dict[str, Any]:
        config = wavlm.config_for(self.speech.model)
        return {
            "model": self.speech.model,
            "untrained": self.speech.model == "tiny",
            "layers": config.num_hidden_layers,
            "boundary_layer": wavlm.boundary_layer(config, self.speech.unfreeze_layers),
            "sample_rate": SAMPLE_RATE,
            "hop_seconds": math.prod(config.conv_stride) / SAMPLE_RATE,
            "precision": self.params.precision,
            "noise": self.noise.source,
        }

    def group(self) -> int:
        # Named, it may be that of another node of a cluster.
        gpu = self.device.startswith("cuda") or runtime.device(self.device).type == "cuda"
        return GROUP if gpu else 1

    def extract(self, clip: ClipMedia, root: Path) -> tuple[store.Views, Counts]:
        return self.extract_group([clip], root)[0]

    def extract_group(self, clips: Sequence[ClipMedia], root: Path) -> list[tuple[store.Views, Counts]]:
        torch.set_num_threads(1)  # workers are processes, and more threads could change the last bit of a sum
        model = _model(self.speech.model, self.device)
        limit = round(self.params.max_seconds * SAMPLE_RATE)
        seconds = max(self.params.max_seconds, noise.MEASURED)
        with ThreadPoolExecutor(4) as readers:  # decoding releases Python's lock
            read = list(readers.map(lambda clip: read_start(root / clip.audio, seconds), clips))
        recordings = [recording for recording, _ in read]
        cut = [more or len(recording) > limit for recording, more in read]
        waveforms = [
            torch.from_numpy(self.noise.make(recording, clip.id)[:, :limit])
            for clip, recording in zip(clips, recordings, strict=True)
        ]
        states = self._reader(model, self.params.precision == "bf16")(waveforms)
        exact: list[dict[int, Tensor] | None] = [None] * len(clips)
        if self.params.precision != "fp32":
            drawn = [i for i, clip in enumerate(clips) if seed_for("compared", clip.id) % COMPARED == 0]
            in_fp32 = self._reader(model, bf16=False)([waveforms[i] for i in drawn])
            for i, found in zip(drawn, in_fp32, strict=True):
                exact[i] = found
        return [self._stored(*made, model.config) for made in zip(states, exact, cut, strict=True)]

    def _reader(self, model: "WavLMModel", bf16: bool) -> HiddenStates:
        per_second = SAMPLE_RATE / math.prod(model.config.conv_stride)  # frames
        return HiddenStates(
            model,
            [*self.params.layers, self._boundary(model.config), model.config.num_hidden_layers],
            normalize=wavlm.normalizes_input(self.speech.model, model.config),
            bf16=bf16,
            window=round(self.params.window_seconds * per_second),
            overlap=round(self.params.overlap_seconds * per_second),
            batch_frames=BATCH_FRAMES if model.device.type == "cuda" else None,
        )

    def _boundary(self, config: "WavLMConfig") -> int:
        if max(self.params.layers, default=0) >= config.num_hidden_layers:
            raise ValueError(
                f"features.wavlm.layers names {max(self.params.layers)}, but the model has {config.num_hidden_layers} "
                f"layers, the last of which is stored anyway; give 0 to {config.num_hidden_layers - 1}"
            )
        return wavlm.boundary_layer(config, self.speech.unfreeze_layers)

    def _stored(
        self, states: dict[int, Tensor], exact: dict[int, Tensor] | None, cut: bool, config: "WavLMConfig"
    ) -> tuple[store.Views, Counts]:
        """Hidden states [V, T, H] by layer -> the arrays of every view, and what their precision costs."""
        arrays = self._arrays(states, config)
        reference = self._arrays(exact, config) if exact else {}
        counts: Counts = {"cut": int(cut)}
        for name, rows in arrays.items():
            counts |= precision.sums(name, rows[0], reference[name][0] if reference else None)
        views = {
            view: {name: rows[i].astype(self.params.dtype) for name, rows in arrays.items()}
            for i, view in enumerate(self.views)
        }
        return views, counts

    def _arrays(self, states: dict[int, Tensor], config: "WavLMConfig") -> dict[str, np.ndarray]:
        arrays = {"boundary": states[self._boundary(config)], "last": states[config.num_hidden_layers]}
        if self.params.layers:
            arrays["layers"] = torch.stack([states[layer] for layer in self.params.layers], 2)
        return {name: rows.numpy() for name, rows in arrays.items()}


def configure(file: Path, role: str) -> WavLMExtractor:
    """The extractor for a role."""
    return WavLMExtractor(
        params=params.read(file, "features.wavlm", Params),
        speech=params.read(file, "speech", wavlm.SpeechParams),
        noise=noise.configure(file, role),
        device=params.read(file, "compute", ComputeParams).device,
    )


@lru_cache(maxsize=1)
def _model(name: str, device: str) -> "WavLMModel":
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of mantissa would show in the cache
    return wavlm.load(name).to(runtime.device(device))
