"""Turn embeddings, the inputs of the VA model: speech, prosody, speaker and the frozen fusion model's output.

All folds with the same fusion model share them. They are not standardised, because the statistics are those of a fold's
training rows.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avemotion.datasets.clip_batches import collate
from avemotion.datasets.memory_store import Store
from avemotion.formats import feature_store
from avemotion.formats.feature_store import CLEAN, FeatureStore, Views
from avemotion.models.encoders.speech_encoder import WavLM
from avemotion.models.fusion.base import Fusion
from avemotion.models.fusion.build import build_fusion
from avemotion.models.speech.pretrained import load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params.training.audio import feature_kind
from avemotion.params.training.speech import SpeechParams
from avemotion.system.workers import progress
from avemotion.training.common import checkpoint
from avemotion.training.va.fusion_inputs import fusion_clips

FEATURES = Path("data/features")
SHOWN = 8  # largest number of turn ids in the log
ROWS = {"prosody": "functionals", "speaker": "embedding"}  # arrays of those caches


@dataclass(frozen=True, kw_only=True)
class TurnInputs:
    """Models and settings behind the embedding of a turn."""

    fusion: Fusion | None  # a trained fusion model; None where the emotion role has no corpus
    audio: dict[str, Any] | None  # arguments of its audio encoder; None where it has none
    names: Sequence[str]  # subset of speech, prosody, speaker, fused
    top: TopLayers | None  # WavLM's last layers over the cached boundary; None: speech is the cached last state
    open_layers: int  # last layers of top that the VA model trains; speech is then their input
    layers: bool  # whether the embedding includes further hidden layers of the cache
    by_speaker: Sequence[str] = ()  # kinds that the fusion model takes relative to each speaker's own clips

    @property
    def kinds(self) -> list[str]:
        """The kinds of feature that an embedding depends on."""
        kinds = ["wavlm", *(name for name in ROWS if name in self.names)]
        if "fused" in self.names and self.fusion is not None:
            kinds += [feature_kind(self.audio["encoder"])] if self.audio is not None else []
            kinds += ["frames"] if self.fusion.video is not None else []
            kinds += ["prosody"] if self.fusion.prosody is not None else []
        return list(dict.fromkeys(kinds))


def trained_inputs(
    folder: Path | None,
    speech: SpeechParams,
    *,
    names: Sequence[str],
    speech_from: str,
    open_layers: int,
    layers: bool,
) -> TurnInputs:
    """TurnInputs with the fusion model of a folder; folder None: without a fusion model.

    Args:
        speech_from: fusion = with the layers of WavLM that the fusion model fine-tuned; wavlm = WavLM itself.

    Raises:
        ValueError: as checkpoint.load and speech_layers.
    """
    fusion = audio = None
    by_speaker: list[str] = []
    if folder is not None:
        config, fusion = checkpoint.rebuild(folder, build_fusion)
        audio, by_speaker = config["architecture"]["audio"], config.get("by_speaker", [])
    top = speech_layers(fusion if speech_from == "fusion" else None, audio, speech, open_layers)
    return TurnInputs(
        fusion=fusion,
        audio=audio,
        names=names,
        top=top,
        open_layers=open_layers,
        layers=layers,
        by_speaker=by_speaker if "fused" in names else [],
    )


def fusion_checksum(folder: Path) -> str:
    """Hex digest of a fusion model's weights; the VA model stores it, because its inputs depend on them."""
    return hashlib.blake2b((folder / "model.safetensors").read_bytes(), digest_size=16).hexdigest()


def speech_layers(
    fusion: Fusion | None, audio: dict[str, Any] | None, speech: SpeechParams, open_layers: int
) -> TopLayers | None:
    """The WavLM layers above the cached boundary.

    If the fusion's audio encoder is a WavLM, these are the layers that it fine-tuned. Without a fusion model, or with
    another encoder, they are the pretrained ones if the VA model trains some of them, else None: the cached last state
    is enough.

    Raises:
        ValueError: the fusion was trained with fewer open layers than the VA model trains.
    """
    if fusion is None or audio is None or feature_kind(audio["encoder"]) != "wavlm":
        return TopLayers.from_model(load(speech.model), speech.unfreeze_layers) if open_layers else None
    assert isinstance(fusion.audio, WavLM)
    top = fusion.audio.top
    if open_layers > len(top.layers):
        raise ValueError(
            f"va.finetune_layers is {open_layers}, but data/models/fusion was trained with {len(top.layers)} open "
            "layers; run `dvc repro`"
        )
    return top if top.layers else None


def embed_turns(inputs: TurnInputs, speakers: Mapping[str, str], folder: Path, device: torch.device) -> None:
    """Write a feature folder with the rows of `turn_rows` for every turn.

    A turn without usable sound has no rows where speech, prosody or speaker is an input.

    Args:
        speakers: by turn.

    Raises:
        ValueError: as `turn_rows`, or no turn has sound although speech, prosody or speaker is an input.
    """
    ids = list(speakers)
    caches = {kind: FeatureStore(FEATURES / kind / "affect") for kind in inputs.kinds}
    silent = without_sound(inputs, ids, caches)
    if len(silent) == len(ids):
        raise ValueError(f"no turn has sound for {', '.join(inputs.names)}; give recordings, or change va.inputs")
    by_speaker = {"by_speaker": list(inputs.by_speaker)} if inputs.by_speaker else {}
    with torch.inference_mode():
        turns = progress(turn_rows(inputs, speakers, silent, caches, device), len(ids), "turns")
        feature_store.write(folder, [CLEAN], turns, turn_facts(caches) | by_speaker)
    if silent:
        named = ", ".join(silent[:SHOWN])
        print(f"{len(silent)} of {len(ids)} turns have no sound, so no valence and arousal: {named}", flush=True)


def turn_facts(caches: Mapping[str, Store]) -> dict[str, Any]:
    """Facts of the embeddings: the clock of the speech steps, and the settings of the extractors behind them."""
    return {
        "hop_seconds": caches["wavlm"].facts["hop_seconds"],
        "features": {kind: cache.settings for kind, cache in caches.items()},
    }


def without_sound(inputs: TurnInputs, ids: Sequence[str], caches: Mapping[str, Store]) -> list[str]:
    """The turns without rows of an input that is extracted from sound."""
    needed = [(caches[name], array) for name, array in ROWS.items() if name in inputs.names]
    needed += [(caches["wavlm"], "last" if inputs.top is None else "boundary")] if "speech" in inputs.names else []
    return [clip for clip in ids if not all(cache.length(clip, array) for cache, array in needed)]


def turn_rows(
    inputs: TurnInputs,
    speakers: Mapping[str, str],
    silent: Sequence[str],
    caches: Mapping[str, Store],
    device: torch.device,
    counted: Collection[str] | None = None,
) -> Iterator[tuple[str, Views | None]]:
    """`speech` [T, D], `layers` [T, L, D], `prosody`, `speaker`, `fused` and `gate` [1, size] of every turn, those that
    inputs.names selects; `gate` is the share of audio of a fusion with a gate. None for a silent turn.

    The models compute one turn at a time, so that the embedding of a turn does not depend on other turns, but for the
    statistics of its speaker where the fusion model takes them.

    Args:
        speakers: turn -> speaker, in the order of the result.
        counted: the turns behind the statistics of a speaker; None = all.

    Raises:
        ValueError: the wavlm cache has no further layers.
    """
    states = caches["wavlm"]
    if inputs.layers and "layers" not in states.arrays:
        raise ValueError(
            "va.layers is learned, but the wavlm features hold the last layer alone; set features.wavlm.layers"
        )
    clips = None
    if "fused" in inputs.names:
        assert inputs.fusion is not None, "fused without a fusion model"
        clips = fusion_clips(inputs.fusion, inputs.audio, caches, inputs.by_speaker, speakers, counted)
    for model in (inputs.fusion, inputs.top):
        if model is not None:
            model.to(device).eval()
    without_rows = frozenset(silent)
    for i, clip in enumerate(speakers):
        if clip in without_rows:
            yield clip, None
            continue
        vectors = {name: caches[name].get(clip, ROWS[name]) for name in ROWS if name in inputs.names}
        arrays = {name: np.asarray(rows, np.float32) for name, rows in vectors.items()}
        if "speech" in inputs.names:
            arrays["speech"] = _speech(inputs, states, clip, device)
            if inputs.layers:
                arrays["layers"] = np.asarray(states.get(clip, "layers"), np.float32)
        if clips is not None:
            assert inputs.fusion is not None
            batch = collate([clips[None, i]]).to(device)
            output = inputs.fusion(*batch.inputs)
            arrays["fused"] = output.embedding.cpu().numpy()
            if output.gate is not None:
                arrays["gate"] = output.gate.unsqueeze(-1).cpu().numpy()
        yield clip, {CLEAN: arrays}


def _speech(inputs: TurnInputs, states: Store, clip: str, device: torch.device) -> np.ndarray:
    """[T, H]: hidden states after all layers of inputs.top except the open ones."""
    if inputs.top is None:
        return np.asarray(states.get(clip, "last"), np.float32)
    boundary = torch.from_numpy(states.get(clip, "boundary").astype(np.float32)).unsqueeze(0).to(device)
    mask = torch.ones(boundary.shape[:2], dtype=torch.bool, device=device)
    return inputs.top(boundary, mask, skip=inputs.open_layers).squeeze(0).cpu().numpy()
