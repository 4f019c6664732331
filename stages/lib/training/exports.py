"""What a fusion model tells of its held-out clips: predictions, also under harder conditions, gates and attention."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from stages.lib.data import tables
from stages.lib.data.audio import AudioSource
from stages.lib.data.dataset import Batch, ClipDataset, Source, absent
from stages.lib.features.store import CLEAN, FeatureStore
from stages.lib.models.fusion import Fusion, FusionOutput
from stages.lib.training import checkpoint, emotion


def export(
    folder: Path,
    model: Fusion,
    classes: list[str],
    held_out: dict[emotion.Split, ClipDataset],
    harder: Mapping[str, ClipDataset],
    hop: float,
    frames: FeatureStore,
    batch_size: int,
    device: torch.device,
) -> None:
    """predictions.csv and gates.csv of validation and test clips; of test clips attention.safetensors, and their
    predictions under each of the harder conditions in conditions.csv."""
    predicted, gates, attention = [], [], {}
    model.eval()
    with torch.inference_mode():
        for split, dataset in held_out.items():
            results = [(batch, model(*batch.inputs)) for batch in emotion.batches(dataset, batch_size, device)]
            logits = torch.cat([output.logits.cpu() for _, output in results])
            predicted.append(emotion.prediction_table(classes, split, dataset, logits))
            for batch, output in results:
                if output.gate is not None:
                    gates += [(clip, split, share) for clip, share in zip(batch.ids, output.gate.tolist(), strict=True)]
                if output.video_to_audio is not None and split == "test":
                    attention |= attention_maps(batch, output, hop, frames)
        under = [_under(model, classes, name, dataset, batch_size, device) for name, dataset in harder.items()]
    tables.write_results(folder / "predictions.csv", pd.concat(predicted).sort_values("id"))
    none = pd.DataFrame(columns=["id", "condition", "predicted", *(f"p_{name}" for name in classes)])
    rows = pd.concat(under) if under else none
    tables.write_results(folder / "conditions.csv", rows.sort_values("id", kind="stable"))
    shares = pd.DataFrame(gates, columns=["id", "split", "gate"])
    tables.write_results(folder / "gates.csv", shares.sort_values("id"))
    checkpoint.save_tensors(dict(sorted(attention.items())), folder / "attention.safetensors")


def conditions(
    model: Fusion, data: emotion.EmotionData, audio: AudioSource, video: Source | None
) -> dict[str, ClipDataset]:
    """The test clips without picture (audio_only), without sound (video_only) and at every SNR of the cache (snr_20),
    as far as the model takes what is changed."""
    made: dict[str, ClipDataset] = {}
    if model.audio is None:
        return made
    if video is not None:
        made["audio_only"] = data.dataset("test", audio, absent(video))
        made["video_only"] = data.dataset("test", absent(audio), video)
    for view in audio.store.views:
        if view != CLEAN:
            made[f"snr_{view.removesuffix('dB')}"] = data.dataset("test", audio.at(view), video)
    return made


def _under(
    model: Fusion, classes: list[str], name: str, dataset: ClipDataset, batch_size: int, device: torch.device
) -> pd.DataFrame:
    """Rows of conditions.csv: id, condition, predicted, p_<class>..."""
    logits = torch.cat([model(*b.inputs).logits.cpu() for b in emotion.batches(dataset, batch_size, device)])
    table = emotion.prediction_table(classes, "test", dataset, logits).drop(columns=["split", "label"])
    table.insert(1, "condition", name)
    return table


def attention_maps(batch: Batch, output: FusionOutput, hop: float, frames: FeatureStore) -> dict[str, torch.Tensor]:
    """Each clip's attention without padding, and the times in seconds of its audio steps and frames."""
    maps, steps_in, steps_out = {}, batch.audio.shape[1], output.video_to_audio.shape[-1]
    for row, clip in enumerate(batch.ids):
        heard = math.ceil(int(batch.audio_mask[row].sum()) * steps_out / steps_in)
        seen = int(batch.video_mask[row].sum())
        maps[f"{clip}/video_to_audio"] = output.video_to_audio[row, :seen, :heard]
        maps[f"{clip}/audio_to_video"] = output.audio_to_video[row, :heard, :seen]
        maps[f"{clip}/audio_times"] = (torch.arange(heard) + 0.5) * hop * steps_in / steps_out
        maps[f"{clip}/video_times"] = torch.from_numpy(frames.get(clip, "times").astype("float32"))
    return {name: value.float().cpu().contiguous() for name, value in maps.items()}
