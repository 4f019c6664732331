"""WavLM hidden states: what enters the layers that training may change, and the last one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

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
    layers: list[int]  # stored besides: outputs of these transformer layers, 0 = what enters the first

    def __post_init__(self) -> None:
        if self.layers != sorted(set(self.layers)) or min(self.layers, default=0) < 0:
            raise ValueError(f"layers is {self.layers}; give numbers from 0 up, ascending, each once")
        if self.max_seconds < 0.1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 0.1 or more")


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
        boundary, last, *between = hidden_states(
            model,
            batch,
            self.speech.unfreeze_layers,
            wavlm.normalizes_input(self.speech.model, model.config),
            self.params.layers,
        )
        states = {"boundary": boundary.cpu().numpy(), "last": last.cpu().numpy()}
        if between:
            states["layers"] = torch.stack(between, 2).cpu().numpy()
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
def hidden_states(
    model: "WavLMModel", waveforms: Tensor, layers: int, normalize: bool, outputs: Sequence[int] = ()
) -> tuple[Tensor, ...]:
    """waveforms [B, samples] at 16 kHz, equally long -> boundary [B, T, H] entering the last layers, last [B, T, H],
    and the outputs [B, T, H] of the layers named in `outputs` (0 = what enters the first).

    Raises:
        ValueError: the model has no such layer.
    """
    if max(outputs, default=0) >= model.config.num_hidden_layers:
        raise ValueError(
            f"features.wavlm.layers names {max(outputs)}, but the model has {model.config.num_hidden_layers} layers, "
            f"the last of which is stored anyway; give 0 to {model.config.num_hidden_layers - 1}"
        )
    # One frame needs the whole receptive field; a shorter sound is continued by silence.
    missing = receptive_field(model.config) - waveforms.shape[1]
    waveforms = torch.nn.functional.pad(waveforms, (0, max(0, missing)))
    if normalize:
        mean, variance = waveforms.mean(1, keepdim=True), waveforms.var(1, keepdim=True, correction=0)
        waveforms = (waveforms - mean) / (variance + 1e-7).sqrt()
    # The output of a layer is what enters the next. Layers count from 1 here, in the model from 0.
    wanted = {*outputs, wavlm.boundary_layer(model.config, layers)} - {model.config.num_hidden_layers}
    entering: dict[int, Tensor] = {}

    def keep(index: int) -> Callable[[nn.Module, tuple], None]:
        return lambda _, args: entering.update({index: args[0]})

    hooks = [model.encoder.layers[index].register_forward_pre_hook(keep(index)) for index in sorted(wanted)]
    try:
        last = model(waveforms).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    boundary = entering[model.config.num_hidden_layers - layers] if layers else last
    return boundary, last, *(entering[index] for index in outputs)


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
