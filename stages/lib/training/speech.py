"""From the sections `audio` and `speech` to an audio model and the cached features it takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.lib.data.audio import AudioAugmentParams, AudioSource, Encoder
from stages.lib.features.store import FeatureStore
from stages.lib.models.audio import AUDIO_MODELS, WavLM
from stages.lib.models.wavlm import SpeechParams, TopLayers, config_for, load


@dataclass(frozen=True, kw_only=True)
class AudioParams:
    """Section `audio`: the audio encoder."""

    encoder: Encoder
    dim: int  # embedding of the mel encoders

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}; give 1 or more")


def audio_source(
    role: str, audio: AudioParams, speech: SpeechParams, augment: AudioAugmentParams | None = None, seed: int = 0
) -> AudioSource:
    """The cached features of a role that the configured encoder takes."""
    store = FeatureStore(Path("data/features") / ("wavlm" if audio.encoder == "wavlm" else "mel") / role)
    return AudioSource(store, audio.encoder, speech.unfreeze_layers > 0, augment, seed)


def audio_arguments(audio: AudioParams, speech: SpeechParams) -> dict:
    """What build_audio needs beside the number of classes; checkpoints keep it."""
    if audio.encoder == "wavlm":
        return {"encoder": "wavlm", "model": speech.model, "unfreeze_layers": speech.unfreeze_layers}
    return {"encoder": audio.encoder, "dim": audio.dim}


def build_audio(classes: int, arguments: dict) -> nn.Module:
    """An audio model with fresh weights from audio_arguments."""
    arguments = dict(arguments)
    return AUDIO_MODELS[arguments.pop("encoder")](classes=classes, **arguments)


def start(model: nn.Module, speech: SpeechParams, training: Iterable[tuple[Tensor, int]]) -> None:
    """Starting state: WavLM's own last layers; mean and deviation of each mel band over the training clips.

    Args:
        training: (features [T, D], real steps) of the training clips; used by mel encoders only.
    """
    if isinstance(model, WavLM):
        pretrained = TopLayers.from_model(load(speech.model), speech.unfreeze_layers)
        model.top.load_state_dict(pretrained.state_dict())
    else:
        model.normalize.fit(torch.cat([features[:real] for features, real in training]))


def cached_parameters(model: nn.Module | None, speech: SpeechParams) -> int:
    """Number of WavLM parameters below the boundary: part of the model, but only their output is in use."""
    if not isinstance(model, WavLM):
        return 0
    from transformers import WavLMModel

    with torch.device("meta"):  # architecture only, no memory
        whole = WavLMModel(config_for(speech.model))
    return sum(p.numel() for p in whole.parameters()) - sum(p.numel() for p in model.top.parameters())
