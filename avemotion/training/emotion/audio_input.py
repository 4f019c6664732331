"""Audio models from the sections `audio` and `speech`, and their cached features."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avemotion.datasets.audio_features import AudioSource
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.audio_encoders import WavLM
from avemotion.models.encoders.audio_model import AudioModel, MelEncoder
from avemotion.models.speech.pretrained import architecture, load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params.training.audio import ANY_LENGTH, AudioParams, feature_kind, length_fault
from avemotion.params.training.augment import AudioAugmentParams
from avemotion.params.training.speech import SpeechParams

FEATURES = Path("data/features")


def array(arguments: dict[str, Any]) -> str:
    """The array of that feature's cache: mel, or for wavlm the input of the trained layers or the last state."""
    if feature_kind(arguments["encoder"]) == "mel":
        return "mel"
    return "boundary" if arguments["unfreeze_layers"] else "last"


def audio_source(
    role: str, audio: AudioParams, speech: SpeechParams, augment: AudioAugmentParams | None = None, seed: int = 0
) -> AudioSource:
    """The cached features of a role for the configured encoder.

    Raises:
        ValueError: the cache has log-mels of any length, but the encoder takes those of one length.
    """
    arguments = audio_arguments(audio, speech)
    store = FeatureStore(FEATURES / feature_kind(audio.encoder) / role)
    source = AudioSource(store, array(arguments), augment, seed, audio.encoder in ANY_LENGTH)
    if source.mel and (fault := length_fault(audio.encoder, store.settings["params"]["seconds"])):
        raise ValueError(fault)
    return source


def mel_bands(source: AudioSource) -> int | None:
    """Number of bands of the log-mel in a cache; None for the states of WavLM."""
    return source.store.dim("mel")[0] if source.mel else None


def audio_arguments(audio: AudioParams, speech: SpeechParams, bands: int | None = None) -> dict[str, Any]:
    """Arguments of build_audio without the number of classes; checkpoints store them.

    Args:
        bands: of the log-mel, for mel encoders; None = those of the encoder's default (no weight depends on it).
    """
    if feature_kind(audio.encoder) == "wavlm":
        return {"encoder": "wavlm", "model": speech.model, "unfreeze_layers": speech.unfreeze_layers}
    return {"encoder": audio.encoder, "dim": audio.dim} | ({} if bands is None else {"mel_bands": bands})


def cached_speech(source: AudioSource, speech: SpeechParams) -> SpeechParams:
    """`speech` with the commit that its hub id stood for when the states were cached; unchanged for log-mels."""
    return speech if source.mel else replace(speech, model=source.store.settings["speech"]["model"])


def start(model: AudioModel, speech: SpeechParams, training: Iterable[tuple[Tensor, int]]) -> None:
    """Set the initial weights: WavLM's pretrained last layers, or mean and deviation of each mel band in training.

    Args:
        training: (features [T, D], number of real steps) of the training clips; only mel encoders use them.
    """
    if isinstance(model, WavLM):
        pretrained = TopLayers.from_model(load(speech.model), speech.unfreeze_layers)
        model.top.load_state_dict(pretrained.state_dict())
    else:
        assert isinstance(model, MelEncoder)
        model.normalize.fit(torch.cat([features[:real] for features, real in training]))


def cached_parameters(model: nn.Module | None, speech: SpeechParams) -> int:
    """Number of parameters of WavLM's frozen lower layers, whose output comes from the cache."""
    if not isinstance(model, WavLM):
        return 0
    with torch.device("meta"):  # without memory for weights
        whole = architecture(speech.model)
    return sum(p.numel() for p in whole.parameters()) - sum(p.numel() for p in model.top.parameters())
