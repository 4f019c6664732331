"""From the sections `audio` and `speech` to an audio model and the cached features it takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avemotion.datasets.audio_features import AudioSource
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.audio_encoders import AudioModel, MelEncoder, WavLM
from avemotion.models.speech.pretrained import config_for, load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params.training.audio import AudioParams
from avemotion.params.training.augment import AudioAugmentParams
from avemotion.params.training.speech import SpeechParams

FEATURES = Path("data/features")


def feature_kind(arguments: dict[str, Any]) -> str:
    """The kind of feature that the audio model of `audio_arguments` takes."""
    return "wavlm" if arguments["encoder"] == "wavlm" else "mel"


def array(arguments: dict[str, Any]) -> str:
    """The array of that feature's cache: for wavlm the state that enters the layers in training, or the last one."""
    if feature_kind(arguments) == "mel":
        return "mel"
    return "boundary" if arguments["unfreeze_layers"] else "last"


def audio_source(
    role: str, audio: AudioParams, speech: SpeechParams, augment: AudioAugmentParams | None = None, seed: int = 0
) -> AudioSource:
    """The cached features of a role that the configured encoder takes."""
    arguments = audio_arguments(audio, speech)
    store = FeatureStore(FEATURES / feature_kind(arguments) / role)
    return AudioSource(store, array(arguments), augment, seed)


def audio_arguments(audio: AudioParams, speech: SpeechParams) -> dict[str, Any]:
    """What build_audio needs beside the number of classes; checkpoints keep it."""
    if audio.encoder == "wavlm":
        return {"encoder": "wavlm", "model": speech.model, "unfreeze_layers": speech.unfreeze_layers}
    return {"encoder": audio.encoder, "dim": audio.dim}


def start(model: AudioModel, speech: SpeechParams, training: Iterable[tuple[Tensor, int]]) -> None:
    """Starting state: WavLM's own last layers; mean and deviation of each mel band over the training clips.

    Args:
        training: (features [T, D], real steps) of the training clips; used by mel encoders only.
    """
    if isinstance(model, WavLM):
        pretrained = TopLayers.from_model(load(speech.model), speech.unfreeze_layers)
        model.top.load_state_dict(pretrained.state_dict())
    else:
        assert isinstance(model, MelEncoder)
        model.normalize.fit(torch.cat([features[:real] for features, real in training]))


def cached_parameters(model: nn.Module | None, speech: SpeechParams) -> int:
    """Number of WavLM parameters below the boundary: part of the model, but only their output is in use."""
    if not isinstance(model, WavLM):
        return 0
    from transformers import WavLMModel

    with torch.device("meta"):  # architecture only, no memory
        whole = WavLMModel(config_for(speech.model))
    return sum(p.numel() for p in whole.parameters()) - sum(p.numel() for p in model.top.parameters())
