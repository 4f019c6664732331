"""What a fusion model tells of its held-out clips beside its predictions: gates and attention."""

import math
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from stages.lib.data import tables
from stages.lib.data.dataset import Batch, ClipDataset
from stages.lib.features.store import FeatureStore
from stages.lib.models.fusion import Fusion, FusionOutput
from stages.lib.training import emotion


def export(
    folder: Path,
    model: Fusion,
    classes: list[str],
    held_out: dict[emotion.Split, ClipDataset],
    hop: float,
    frames: FeatureStore,
    batch_size: int,
    device: torch.device,
) -> None:
    """predictions.csv and gates.csv of validation and test clips, attention.safetensors of test clips."""
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
    tables.write_results(folder / "predictions.csv", pd.concat(predicted).sort_values("id"))
    shares = pd.DataFrame(gates, columns=["id", "split", "gate"])
    tables.write_results(folder / "gates.csv", shares.sort_values("id"))
    save_file(dict(sorted(attention.items())), folder / "attention.safetensors")


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
