"""Hidden states of a speech encoder: the input of the layers that training may change, and the last state."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from avemotion.extraction import precision
from avemotion.extraction.last_run import Counts
from avemotion.features.parts import noise
from avemotion.features.parts.sound import Sound, SoundExtractor
from avemotion.formats import feature_store
from avemotion.formats.clips import ClipMedia
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.models.speech import pretrained, strict_loading
from avemotion.params.shared.common import Precision
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.speech import SpeechParams
from avemotion.params.training.speech import read as read_speech
from avemotion.system import params_file
from avemotion.system.seeds import seed_for

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel

    from avemotion.features.parts.hidden_states import HiddenStates


BATCH_FRAMES = 1 << 14  # padded frames of 20 ms in a GPU batch, about 5 minutes of sound
GROUP = 64  # clips whose rows form GPU batches of similar length
COMPARED = 32  # with precision bf16, one clip in 32 is also computed in float32


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.wavlm`."""

    seconds: float | None  # recordings are cut or padded with zeros to this length; null = whole recordings
    max_seconds: float  # the rest of a longer recording is not used
    window_seconds: float  # a longer recording is computed in windows of this length
    overlap_seconds: float  # context on both sides of a window, without output
    precision: Precision  # of the arithmetic
    dtype: Literal["float16", "float32"]  # of the stored states
    layers: list[int]  # stored in addition: outputs of these transformer layers; 0 = the input of the first

    def __post_init__(self) -> None:
        if self.layers != sorted(set(self.layers)) or min(self.layers, default=0) < 0:
            raise ValueError(f"layers is {self.layers}; give numbers from 0 up, ascending, each once")
        if self.seconds is not None and not 0.1 <= self.seconds <= self.max_seconds:
            raise ValueError(
                f"seconds is {self.seconds}; give 0.1 to max_seconds ({self.max_seconds}), or null for whole recordings"
            )
        if self.max_seconds < 0.1:
            raise ValueError(f"max_seconds is {self.max_seconds}; give 0.1 or more")
        if not 0 <= 4 * self.overlap_seconds <= self.window_seconds or self.window_seconds < 1:
            raise ValueError(
                f"overlap_seconds is {self.overlap_seconds}, window_seconds {self.window_seconds}; give a window of a "
                "second or more and at most a quarter of it as overlap"
            )


@dataclass(frozen=True, kw_only=True)
class WavLMExtractor(SoundExtractor):
    """Arrays `boundary` [T, H], the input of the last speech.unfreeze_layers layers, and `last` [T, H];
    `layers` [T, L, H] if features.wavlm.layers names some."""

    params: Params
    speech: SpeechParams
    noise: noise.NoiseViews
    device: str = field(repr=False)

    @property
    def views(self) -> list[str]:
        return self.noise.names

    @property
    def seconds(self) -> float:
        return max(self.params.max_seconds, noise.MEASURED)

    def pinned(self) -> "WavLMExtractor":
        """With the commit that a hub id stands for, as far as the local cache has it."""
        if (commit := pretrained.commit(self.speech.model)) is None:
            return self
        model = f"{strict_loading.split(self.speech.model)[0]}@{commit}"
        return replace(self, speech=replace(self.speech, model=model))

    def facts(self) -> dict[str, Any]:
        config = pretrained.config_for(self.speech.model)
        return {
            "model": self.speech.model,
            **({} if (commit := pretrained.commit(self.speech.model)) is None else {"commit": commit}),
            "untrained": self.speech.model == "tiny",
            "layers": config.num_hidden_layers,
            "boundary_layer": pretrained.boundary_layer(config, self.speech.unfreeze_layers),
            "sample_rate": SAMPLE_RATE,
            "hop_seconds": math.prod(config.conv_stride) / SAMPLE_RATE,
            "precision": self.params.precision,
            "noise": self.noise.source,
        }

    def group(self) -> int:
        from avemotion.system import runtime

        # A named GPU may be on another node of a cluster, so it is not checked here.
        gpu = self.device.startswith("cuda") or runtime.device(self.device).type == "cuda"
        return GROUP if gpu else 1

    def extract_group(self, clips: Sequence[ClipMedia], root: Path) -> list[tuple[feature_store.Views, Counts]]:
        with ThreadPoolExecutor(4) as readers:  # decoding releases Python's lock
            return self.extract_sounds(list(readers.map(lambda clip: self.read(clip, root), clips)))

    def extract_sounds(self, sounds: Sequence[Sound]) -> list[tuple[feature_store.Views, Counts]]:
        import torch

        torch.set_num_threads(1)  # work is parallel by process; more threads could change the last bit of a sum
        model, normalize = _model(self.speech.model, self.device)
        fixed, limit = self.params.seconds, round((self.params.seconds or self.params.max_seconds) * SAMPLE_RATE)
        cut = [more or len(recording) > limit for _, recording, more in sounds]
        waveforms = [torch.from_numpy(self.noise.make(recording, clip)[:, :limit]) for clip, recording, _ in sounds]
        if fixed is not None:  # the silence behind a short recording counts as sound, as in a batch of fixed length
            waveforms = [torch.nn.functional.pad(views, (0, limit - views.shape[1])) for views in waveforms]
        read = partial(self._reader, model, normalize)
        states = read(bf16=self.params.precision == "bf16")(waveforms)
        exact: list[dict[int, Tensor] | None] = [None] * len(sounds)
        if self.params.precision != "fp32":
            drawn = [i for i, (clip, *_) in enumerate(sounds) if seed_for("compared", clip) % COMPARED == 0]
            in_fp32 = read(bf16=False)([waveforms[i] for i in drawn])
            for i, reference in zip(drawn, in_fp32, strict=True):
                exact[i] = reference
        return [self._stored(*computed, model.config) for computed in zip(states, exact, cut, strict=True)]

    def _reader(self, model: "PreTrainedModel", normalize: bool, bf16: bool) -> "HiddenStates":
        from avemotion.features.parts.hidden_states import HiddenStates, Window

        per_second = SAMPLE_RATE / math.prod(model.config.conv_stride)  # frames
        return HiddenStates(
            model,
            [*self.params.layers, self._boundary(model.config), model.config.num_hidden_layers],
            normalize=normalize,
            bf16=bf16,
            window=Window(
                frames=round(self.params.window_seconds * per_second),
                overlap=round(self.params.overlap_seconds * per_second),
            ),
            batch_frames=BATCH_FRAMES if model.device.type == "cuda" else None,
        )

    def _boundary(self, config: "PretrainedConfig") -> int:
        if max(self.params.layers, default=0) >= config.num_hidden_layers:
            raise ValueError(
                f"features.wavlm.layers names {max(self.params.layers)}, but the model has {config.num_hidden_layers} "
                f"layers, the last of which is stored anyway; give 0 to {config.num_hidden_layers - 1}"
            )
        return pretrained.boundary_layer(config, self.speech.unfreeze_layers)

    def _stored(
        self, states: "dict[int, Tensor]", exact: "dict[int, Tensor] | None", cut: bool, config: "PretrainedConfig"
    ) -> tuple[feature_store.Views, Counts]:
        """Hidden states [V, T, H] by layer -> the arrays of every view, and their precision.sums."""
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

    def _arrays(self, states: "dict[int, Tensor]", config: "PretrainedConfig") -> dict[str, np.ndarray]:
        import torch

        arrays = {"boundary": states[self._boundary(config)], "last": states[config.num_hidden_layers]}
        if self.params.layers:
            arrays["layers"] = torch.stack([states[layer] for layer in self.params.layers], 2)
        return {name: rows.numpy() for name, rows in arrays.items()}


def configure(file: Path, role: str) -> WavLMExtractor:
    """The extractor for a role."""
    return WavLMExtractor(
        params=params_file.read(file, "features.wavlm", Params),
        speech=read_speech(file),
        noise=noise.configure(file, role),
        device=params_file.read(file, "compute", ComputeParams).device,
    )


def restore(settings: dict[str, Any], device: str) -> WavLMExtractor:
    """The extractor that a checkpoint's settings describe, for clean recordings."""
    params, speech = Params(**settings["params"]), SpeechParams(**settings["speech"])
    return WavLMExtractor(params=params, speech=speech, noise=noise.CLEAN_ONLY, device=device)


@lru_cache(maxsize=1)
def _model(name: str, device: str) -> "tuple[PreTrainedModel, bool]":
    """The model, and whether it takes normalised waveforms."""
    import torch

    from avemotion.system import runtime

    torch.backends.cudnn.allow_tf32 = False  # TF32 has a mantissa of 10 bits; the error would be visible in the cache
    model = pretrained.load(name)
    return model.to(runtime.device(device)), pretrained.normalizes_input(name, model.config)
