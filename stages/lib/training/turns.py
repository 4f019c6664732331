"""Turn embeddings for the V/A model: what the frozen fusion model makes of every turn, next to prosody and speaker.

Computed once for all folds that take the same fusion model. Standardisation is not done here: it belongs to a fold's
training rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.lib.compute import progress
from stages.lib.data.audio import AudioSource
from stages.lib.data.dataset import ClipDataset, collate
from stages.lib.data.video import FrameSource
from stages.lib.features import store
from stages.lib.features.store import CLEAN, FeatureStore
from stages.lib.models.fusion import Fusion, build_fusion
from stages.lib.models.wavlm import SpeechParams, TopLayers, load
from stages.lib.training import checkpoint

FEATURES = Path("data/features")
SHOWN = 8  # turns named in the log
ROWS = {"prosody": "functionals", "speaker": "embedding"}  # arrays of those caches


@dataclass(frozen=True, kw_only=True)
class TurnInputs:
    """What a turn's embedding is made from.

    fusion: a trained fusion model and the audio arguments it was built with.
    names: subset of speech, prosody, speaker, fused.
    top: WavLM's last layers, to be run over the cached boundary; None: the cached last hidden state is taken.
    open_layers: as many of the last ones of top are left to the V/A model; speech is then what enters them.
    layers: whether further hidden layers of the cache belong to the embedding.
    """

    fusion: Fusion
    audio: dict | None
    names: Sequence[str]
    top: TopLayers | None
    open_layers: int
    layers: bool


def trained_inputs(
    folder: Path, speech: SpeechParams, *, names: Sequence[str], open_layers: int, layers: bool
) -> TurnInputs:
    """TurnInputs around the fusion model of a folder.

    Raises:
        ValueError: as checkpoint.load and speech_layers.
    """
    config, fusion = checkpoint.rebuild(folder, build_fusion)
    audio = config["architecture"]["audio"]
    top = speech_layers(fusion, audio, speech, open_layers)
    return TurnInputs(fusion=fusion, audio=audio, names=names, top=top, open_layers=open_layers, layers=layers)


def speech_layers(fusion: Fusion, audio: dict | None, speech: SpeechParams, open_layers: int) -> TopLayers | None:
    """The layers above the cached boundary: those that the fusion fine-tuned, where its audio encoder is a WavLM;
    otherwise WavLM's own where some are to be trained, and none where the cached last state will do.

    Raises:
        ValueError: the fusion was trained with fewer open layers than the V/A model is to train.
    """
    if audio is None or audio["encoder"] != "wavlm":
        return TopLayers.from_model(load(speech.model), speech.unfreeze_layers) if open_layers else None
    top = fusion.audio.top
    if open_layers > len(top.layers):
        raise ValueError(
            f"va.finetune_layers is {open_layers}, but data/models/fusion was trained with {len(top.layers)} open "
            "layers; run `dvc repro`"
        )
    return top if top.layers else None


def embed_turns(
    inputs: TurnInputs, ids: Sequence[str], folder: Path, device: torch.device, features: Path = FEATURES
) -> None:
    """Write a feature folder with `speech` [T, D], `layers` [T, L, D], `prosody`, `speaker`, `fused` and `gate`
    [1, size] of every turn, as far as inputs asks for them; `gate` is the fusion's share of audio, where it has one.

    Turn by turn, so that a turn's embedding does not depend on its company. A turn without usable sound has no rows
    where speech, prosody or speaker is an input. The index keeps the settings of the extractors that all this comes
    from.

    Args:
        features: folder of the caches, <kind>/affect.

    Raises:
        ValueError: no turn has sound although speech, prosody or speaker is an input, or the cache lacks an array.
    """
    caches = {kind: FeatureStore(features / kind / "affect") for kind in kinds(inputs)}
    vectors = {name: caches[name] for name in ("prosody", "speaker") if name in inputs.names}
    states = caches["wavlm"]
    if inputs.layers and "layers" not in states.arrays:
        raise ValueError(
            f"va.layers is learned, but {states.folder} holds the last layer alone; set features.wavlm.layers"
        )
    fused = _fusion_clips(inputs, ids, caches) if "fused" in inputs.names else None
    inputs.fusion.to(device).eval()
    if inputs.top is not None:
        inputs.top.to(device).eval()

    heard = [(cache, ROWS[name]) for name, cache in vectors.items()]
    heard += [(states, "last" if inputs.top is None else "boundary")] if "speech" in inputs.names else []
    silent = [clip for clip in ids if not all(cache.length(clip, array) for cache, array in heard)]
    if len(silent) == len(ids):
        raise ValueError(f"no turn has sound for {', '.join(inputs.names)}; give recordings, or change va.inputs")

    left_out = frozenset(silent)

    def rows() -> Iterator[tuple[str, store.Views | None]]:
        for i, clip in enumerate(progress(ids, len(ids), "turns")):
            if clip in left_out:
                yield clip, None
                continue
            arrays = {name: np.asarray(vectors[name].get(clip, ROWS[name]), np.float32) for name in vectors}
            if "speech" in inputs.names:
                arrays["speech"] = _speech(inputs, states, clip, device)
                if inputs.layers:
                    arrays["layers"] = np.asarray(states.get(clip, "layers"), np.float32)
            if fused is not None:
                batch = collate([fused[None, i]]).to(device)
                output = inputs.fusion(*batch.inputs)
                arrays["fused"] = output.embedding.cpu().numpy()
                if output.gate is not None:
                    arrays["gate"] = output.gate.unsqueeze(-1).cpu().numpy()
            yield clip, {CLEAN: arrays}

    with torch.inference_mode():
        made_from = {kind: cache.settings for kind, cache in caches.items()}
        store.write(folder, [CLEAN], rows(), facts={"hop_seconds": states.facts["hop_seconds"], "features": made_from})
    if silent:
        named = ", ".join(silent[:SHOWN])
        print(f"{len(silent)} of {len(ids)} turns have no sound, so no valence and arousal: {named}", flush=True)


def kinds(inputs: TurnInputs) -> list[str]:
    """The feature caches that embed_turns reads."""
    found = ["wavlm", *(name for name in ("prosody", "speaker") if name in inputs.names)]
    if "fused" in inputs.names:
        found += ["mel"] if inputs.audio is not None and inputs.audio["encoder"] != "wavlm" else []
        found += ["frames"] if inputs.fusion.video is not None else []
    return found


def _speech(inputs: TurnInputs, states: FeatureStore, clip: str, device: torch.device) -> np.ndarray:
    """[T, H]: hidden states after all layers of inputs.top but the open ones."""
    if inputs.top is None:
        return np.asarray(states.get(clip, "last"), np.float32)
    boundary = torch.from_numpy(states.get(clip, "boundary").astype(np.float32)).unsqueeze(0).to(device)
    mask = torch.ones(boundary.shape[:2], dtype=torch.bool, device=device)
    return inputs.top(boundary, mask, skip=inputs.open_layers).squeeze(0).cpu().numpy()


def _fusion_clips(inputs: TurnInputs, ids: Sequence[str], caches: dict[str, FeatureStore]) -> ClipDataset:
    """What the fusion model takes of every turn."""
    audio = video = None
    if inputs.audio is not None:
        encoder = inputs.audio["encoder"]
        cache = caches["wavlm" if encoder == "wavlm" else "mel"]
        audio = AudioSource(cache, encoder, bool(inputs.audio.get("unfreeze_layers")))
    if inputs.fusion.video is not None:
        video = FrameSource(caches["frames"])
    return ClipDataset(ids, torch.zeros(len(ids), dtype=torch.long), audio, video)
