"""Turn embeddings for the V/A model: what the frozen fusion model makes of every turn, next to prosody and speaker.

Computed once and shared by all folds. Standardisation is not done here: it belongs to a fold's training rows.
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
from stages.lib.models.fusion import Fusion

FEATURES = Path("data/features")
ROWS = {"prosody": "functionals", "speaker": "embedding"}  # arrays of those caches


@dataclass(frozen=True, kw_only=True)
class TurnInputs:
    """What a turn's embedding is made from.

    fusion: a trained fusion model and the audio arguments it was built with.
    names: subset of speech, prosody, speaker, fused.
    """

    fusion: Fusion
    audio: dict | None
    names: Sequence[str]


def embed_turns(inputs: TurnInputs, ids: Sequence[str], folder: Path, device: torch.device) -> None:
    """Write a feature folder with `speech` [T, D], `prosody`, `speaker`, `fused` [1, size] of every turn.

    Turn by turn, so that a turn's embedding does not depend on its company.

    Raises:
        ValueError: a turn has no sound although speech, prosody or speaker is an input.
    """
    vectors = {
        name: FeatureStore(FEATURES / name / "affect") for name in ("prosody", "speaker") if name in inputs.names
    }
    states = FeatureStore(FEATURES / "wavlm" / "affect")
    fused = _fusion_clips(inputs, ids) if "fused" in inputs.names else None
    inputs.fusion.to(device).eval()

    def rows() -> Iterator[tuple[str, store.Views]]:
        for i, clip in enumerate(progress(ids, len(ids), "turns")):
            arrays = {name: np.asarray(vectors[name].get(clip, ROWS[name]), np.float32) for name in vectors}
            if "speech" in inputs.names:
                arrays["speech"] = _speech(inputs, states, clip, device)
            silent = [name for name, values in arrays.items() if not len(values)]
            if silent:
                raise ValueError(
                    f"turn {clip}: no sound, so no {', '.join(silent)}; give it a recording, leave it out of the "
                    f"corpus, or drop these from va.inputs"
                )
            if fused is not None:
                batch = collate([fused[None, i]]).to(device)
                arrays["fused"] = inputs.fusion(*batch.inputs).embedding.cpu().numpy()
            yield clip, {CLEAN: arrays}

    with torch.inference_mode():
        store.write(folder, [CLEAN], rows(), facts={"hop_seconds": states.facts["hop_seconds"]})


def _speech(inputs: TurnInputs, states: FeatureStore, clip: str, device: torch.device) -> np.ndarray:
    """[T, H]: last hidden states, by the fusion's fine-tuned layers where its audio encoder is a WavLM."""
    audio = inputs.audio
    if audio is None or audio["encoder"] != "wavlm" or not audio["unfreeze_layers"]:
        return np.asarray(states.get(clip, "last"), np.float32)
    boundary = torch.from_numpy(states.get(clip, "boundary").astype(np.float32)).unsqueeze(0).to(device)
    if not boundary.shape[1]:
        return boundary.squeeze(0).cpu().numpy()
    mask = torch.ones(boundary.shape[:2], dtype=torch.bool, device=device)
    return inputs.fusion.audio.encode_sequence(boundary, mask)[0].squeeze(0).cpu().numpy()


def _fusion_clips(inputs: TurnInputs, ids: Sequence[str]) -> ClipDataset:
    """What the fusion model takes of every turn."""
    audio = video = None
    if inputs.audio is not None:
        encoder = inputs.audio["encoder"]
        cache = FeatureStore(FEATURES / ("wavlm" if encoder == "wavlm" else "mel") / "affect")
        audio = AudioSource(cache, encoder, bool(inputs.audio.get("unfreeze_layers")))
    if inputs.fusion.video is not None:
        video = FrameSource(FeatureStore(FEATURES / "frames" / "affect"))
    return ClipDataset(ids, torch.zeros(len(ids), dtype=torch.long), audio, video)
