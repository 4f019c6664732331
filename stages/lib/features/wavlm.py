"""WavLM hidden states: what enters the layers that training may change, and the last one."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from stages.lib import params, runtime
from stages.lib.compute import ComputeParams
from stages.lib.data.clips import ClipMedia
from stages.lib.features import noise, store
from stages.lib.media.audio import SAMPLE_RATE, read_waveform
from stages.lib.models import wavlm

if TYPE_CHECKING:
    from transformers import WavLMModel


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.wavlm`."""

    max_seconds: float  # longer recordings are cut
    dtype: Literal["float16", "float32"]  # of the stored states

    def __post_init__(self) -> None:
        if self.max_seconds < 0.1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 0.1 or more")


@dataclass(frozen=True, kw_only=True)
class WavLMExtractor:
    """Arrays `boundary` [T, H], entering the last speech.unfreeze_layers layers, and `last` [T, H]."""

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
            "hop_seconds": float(np.prod(config.conv_stride)) / SAMPLE_RATE,
            "noise": self.noise.source,
        }

    def extract(self, clip: ClipMedia, root: Path) -> tuple[store.Views, dict[str, int]]:
        torch.set_num_threads(1)  # workers are processes, and more threads could change the last bit of a sum
        model = _model(self.speech.model, self.device)
        waveforms = self.noise.make(read_waveform(root / clip.audio), clip.id)
        limit = round(self.params.max_seconds * SAMPLE_RATE)
        # The views of one clip are equally long: a batch without padding, each as if it were alone.
        batch = torch.from_numpy(waveforms[:, :limit]).to(model.device)
        boundary, last = hidden_states(
            model, batch, self.speech.unfreeze_layers, wavlm.normalizes_input(self.speech.model, model.config)
        )
        states = {"boundary": boundary.cpu().numpy(), "last": last.cpu().numpy()}
        views = {
            view: {name: rows[i].astype(self.params.dtype) for name, rows in states.items()}
            for i, view in enumerate(self.views)
        }
        return views, {"cut": int(waveforms.shape[1] > limit)}


def configure(file: Path, role: str) -> WavLMExtractor:
    """The extractor for a role."""
    return WavLMExtractor(
        params=params.read(file, "features.wavlm", Params),
        speech=params.read(file, "speech", wavlm.SpeechParams),
        noise=noise.configure(file, role),
        device=params.read(file, "compute", ComputeParams).device,
    )


@torch.inference_mode()
def hidden_states(model: "WavLMModel", waveforms: Tensor, layers: int, normalize: bool) -> tuple[Tensor, Tensor]:
    """waveforms [B, samples] at 16 kHz, equally long -> boundary [B, T, H] entering the last layers, last [B, T, H]."""
    # One frame needs the whole receptive field; a shorter sound is continued by silence.
    missing = receptive_field(model.config) - waveforms.shape[1]
    waveforms = torch.nn.functional.pad(waveforms, (0, max(0, missing)))
    if normalize:
        mean, variance = waveforms.mean(1, keepdim=True), waveforms.var(1, keepdim=True, correction=0)
        waveforms = (waveforms - mean) / (variance + 1e-7).sqrt()
    if layers == 0:
        last = model(waveforms).last_hidden_state
        return last, last
    entering: list[Tensor] = []
    layer = model.encoder.layers[wavlm.boundary_layer(model.config, layers)]
    hook = layer.register_forward_pre_hook(lambda _, args: entering.append(args[0]))
    try:
        last = model(waveforms).last_hidden_state
    finally:
        hook.remove()
    return entering[0], last


def receptive_field(config: Any) -> int:
    """Samples that one frame is made of (400 in the published models)."""
    field_, step = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field_ += (kernel - 1) * step
        step *= stride
    return field_


@lru_cache(maxsize=1)
def _model(name: str, device: str) -> "WavLMModel":
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of mantissa would show in the cache
    return wavlm.load(name).to(runtime.device(device))
