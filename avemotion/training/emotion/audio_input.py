"""Audio models from the sections `audio` and `speech`, and their cached features."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from avemotion.datasets.audio_features import AudioSource
from avemotion.datasets.memory_store import Store
from avemotion.datasets.speaker_store import SpeakerStore
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.audio_model import AudioModel, MelEncoder
from avemotion.models.encoders.speech_encoder import WavLM
from avemotion.models.speech.lora import Adapters
from avemotion.models.speech.pretrained import architecture, load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params.training.audio import ANY_LENGTH, AudioParams, feature_kind, length_fault
from avemotion.params.training.augment import AudioAugmentParams
from avemotion.params.training.speech import SpeechParams

FEATURES = Path("data/features")


class SoundConfig(Protocol):
    """The config of a stage that trains an audio model."""

    @property
    def audio(self) -> AudioParams: ...

    @property
    def speech(self) -> SpeechParams: ...

    @property
    def layers(self) -> list[int]: ...

    @property
    def wavlm_layers(self) -> int: ...


def array(arguments: dict[str, Any]) -> str:
    """The array of that feature's cache: mel, or for wavlm the input of the trained layers or the last state."""
    if feature_kind(arguments["encoder"]) == "mel":
        return "mel"
    return "boundary" if arguments["unfreeze_layers"] else "last"


def arrays(arguments: dict[str, Any]) -> list[str]:
    """All arrays of that cache that an encoder takes."""
    return [*(["layers"] if arguments.get("layers") else []), array(arguments)]


def audio_source(
    role: str,
    config: SoundConfig,
    speakers: Mapping[str, str],
    augment: AudioAugmentParams | None = None,
    seed: int = 0,
) -> AudioSource:
    """The cached features of a role for the configured encoder.

    Args:
        speakers: by clip.

    Raises:
        ValueError: the cache has log-mels of any length, but the encoder takes those of one length; or it has other
            layers than the encoder weighs.
    """
    audio, arguments = config.audio, audio_arguments(config)
    kind, layers = feature_kind(audio.encoder), bool(arguments.get("layers"))
    store = relative(FeatureStore(FEATURES / kind / role), kind, arrays(arguments), audio.by_speaker, speakers)
    source = AudioSource(store, array(arguments), augment, seed, audio.encoder in ANY_LENGTH, layers)
    if source.mel and (fault := length_fault(audio.encoder, store.settings["params"]["seconds"])):
        raise ValueError(fault)
    if layers and (cached := store.settings["params"]["layers"]) != config.layers:
        raise ValueError(
            f"audio.layers is learned and features.wavlm.layers {config.layers}, but {FEATURES / kind / role} has the "
            f"layers {cached}; run `dvc repro`"
        )
    return source


def new_source(
    arguments: dict[str, Any],
    store: Store,
    by_speaker: Sequence[str],
    speakers: Mapping[str, str],
    counted: Collection[str] | None,
) -> AudioSource:
    """The features of new clips for the encoder of a checkpoint.

    Args:
        arguments: of the encoder. by_speaker: kinds of features that are relative to the speaker.
        speakers, counted: as for SpeakerStore.
    """
    rows = relative(store, feature_kind(arguments["encoder"]), arrays(arguments), by_speaker, speakers, counted)
    return AudioSource(rows, array(arguments), layers=bool(arguments.get("layers")))


def relative(
    store: Store,
    kind: str,
    names: Sequence[str],
    by_speaker: Sequence[str],
    speakers: Mapping[str, str],
    counted: Collection[str] | None = None,
) -> SpeakerStore:
    """A store in which arrays are standardised by speaker, if by_speaker names their kind.

    Args:
        names: of the arrays. speakers, counted: as for SpeakerStore.
    """
    return SpeakerStore(store, names if kind in by_speaker else [], speakers, counted)


def mel_bands(source: AudioSource) -> int | None:
    """Number of bands of the log-mel in a cache; None for the states of WavLM."""
    return source.store.dim("mel")[0] if source.mel else None


def audio_arguments(config: SoundConfig, bands: int | None = None) -> dict[str, Any]:
    """Arguments of build_audio without the number of classes; checkpoints store them.

    Args:
        bands: of the log-mel, for mel encoders; None = those of the encoder's default (no weight depends on it).
    """
    audio, speech = config.audio, config.speech
    if feature_kind(audio.encoder) == "wavlm":
        wavlm = {"encoder": "wavlm", "model": speech.model, "unfreeze_layers": speech.unfreeze_layers}
        wavlm |= {"standardize": True} if audio.normalise == "corpus" else {}
        return wavlm | ({"layers": config.layers} if audio.layers == "learned" else {})
    return {"encoder": audio.encoder, "dim": audio.dim} | ({} if bands is None else {"mel_bands": bands})


def cached_speech(source: AudioSource, speech: SpeechParams) -> SpeechParams:
    """`speech` with the commit that its hub id stood for when the states were cached; unchanged for log-mels."""
    return speech if source.mel else replace(speech, model=source.store.settings["speech"]["model"])


def start(model: AudioModel, speech: SpeechParams, training: Iterable[tuple[Tensor, int]]) -> None:
    """Set the initial weights: WavLM's pretrained last layers; mean and deviation of each mel band, or of each hidden
    dimension if these are standardised, in training.

    Args:
        training: (features [T, D], number of real steps) of the training clips.
    """
    if isinstance(model, WavLM):
        pretrained = TopLayers.from_model(load(speech.model), speech.unfreeze_layers)
        model.top.load_state_dict(pretrained.state_dict())
        if model.normalize is not None:
            model.normalize.fit_parts(features[:real] for features, real in training)
    else:
        assert isinstance(model, MelEncoder)
        model.normalize.fit(torch.cat([features[:real] for features, real in training]))


def adapters(model: AudioModel | None, config: SoundConfig) -> Adapters | None:
    """Add LoRA to the trained layers of WavLM; None where these layers are trained themselves, or none is.

    Raises:
        ValueError: as Adapters.
    """
    p = config.audio.lora
    if not isinstance(model, WavLM) or not p.rank or not config.wavlm_layers:
        return None
    return Adapters(model.top, config.wavlm_layers, rank=p.rank, alpha=p.alpha, dropout=p.dropout)


def cached_parameters(model: nn.Module | None, speech: SpeechParams) -> int:
    """Number of parameters of WavLM's frozen lower layers, whose output comes from the cache."""
    if not isinstance(model, WavLM):
        return 0
    with torch.device("meta"):  # without memory for weights
        whole = architecture(speech.model)
    return sum(p.numel() for p in whole.parameters()) - sum(p.numel() for p in model.top.parameters())
