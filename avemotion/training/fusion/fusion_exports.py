"""Exports of a trained fusion model for held-out clips: predictions, conditions, gates, attention."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from avemotion.datasets.audio_features import AudioSource
from avemotion.datasets.clip_batches import Batch, ClipDataset, Rows, Source, absent
from avemotion.datasets.memory_store import Store
from avemotion.formats.feature_store import CLEAN
from avemotion.models.fusion.base import Fusion, FusionOutput
from avemotion.system import tables
from avemotion.training.common import checkpoint
from avemotion.training.emotion import classifier

Clock = Callable[[str], tuple[float, float]]  # clip -> seconds at which its first step begins, and of each step


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Clips for evaluation, and the times of their features."""

    classes: list[str]
    sets: dict[classifier.Split, ClipDataset]
    harder: Mapping[str, ClipDataset]  # the test clips under each of `conditions`
    clock: Clock  # of the audio features
    frames: Store  # has the times of the frames


def export(folder: Path, model: Fusion, held_out: HeldOut, batch_size: int, device: torch.device) -> pd.DataFrame:
    """Write predictions.csv and gates.csv of validation and test clips, prosody_shares.csv where a gate weighs prosody,
    attention.safetensors of test clips, conditions.csv with the predictions of test clips under the harder
    conditions.

    Returns:
        the content of predictions.csv.
    """
    predicted: list[pd.DataFrame] = []
    gates: list[tuple[str, str, float]] = []
    prosody: list[tuple[str, str, float]] = []
    attention: dict[str, torch.Tensor] = {}
    classes = held_out.classes
    model.eval()
    with torch.inference_mode():
        for split, dataset in held_out.sets.items():
            results = [(batch, model(*batch.inputs)) for batch in classifier.batches(dataset, batch_size, device)]
            logits = torch.cat([output.logits.cpu() for _, output in results])
            predicted.append(classifier.prediction_table(classes, split, dataset, logits))
            for batch, output in results:
                for rows, shares in ((gates, output.gate), (prosody, output.prosody_share)):
                    if shares is not None:
                        rows += [(clip, split, share) for clip, share in zip(batch.ids, shares.tolist(), strict=True)]
                if output.video_to_audio is not None and split == "test":
                    attention |= attention_maps(batch, output, held_out.clock, held_out.frames)
        harder = [
            _under_condition(name, model, classes, dataset, classifier.batches(dataset, batch_size, device))
            for name, dataset in held_out.harder.items()
        ]
    table = pd.concat(predicted).sort_values("id")
    tables.write_results(folder / "predictions.csv", table)
    empty = pd.DataFrame(columns=["id", "condition", "predicted", *(f"p_{name}" for name in classes)])
    rows = pd.concat(harder) if harder else empty
    tables.write_results(folder / "conditions.csv", rows.sort_values("id", kind="stable"))
    _write_shares(folder / "gates.csv", gates, "gate")
    if prosody:
        _write_shares(folder / "prosody_shares.csv", prosody, "share")
    checkpoint.save_tensors(dict(sorted(attention.items())), folder / "attention.safetensors")
    return table


def _write_shares(file: Path, rows: list[tuple[str, str, float]], name: str) -> None:
    tables.write_results(file, pd.DataFrame(rows, columns=["id", "split", name]).sort_values("id"))


def conditions(
    model: Fusion, data: classifier.EmotionData, audio: AudioSource, video: Source | None, prosody: Rows | None
) -> dict[str, ClipDataset]:
    """The test clips without picture (audio_only), without sound (video_only) and at every SNR of the cache (snr_20).

    A unimodal model has no condition without a modality; without audio it has no condition at all. With prosody there
    is no noise: its cache has the clean sound alone.
    """
    datasets: dict[str, ClipDataset] = {}
    if model.audio is None:
        return datasets
    if video is not None:
        datasets["audio_only"] = data.dataset("test", audio, absent(video), prosody)
        datasets["video_only"] = data.dataset("test", absent(audio), video, prosody)
    for view in audio.store.views if prosody is None else []:
        if view != CLEAN:
            datasets[view] = data.dataset("test", audio.at(view), video)
    return datasets


def _under_condition(
    name: str, model: Fusion, classes: list[str], dataset: ClipDataset, batches: Iterable[Batch]
) -> pd.DataFrame:
    """Rows of conditions.csv: id, condition, predicted, p_<class>..."""
    logits = torch.cat([model(*batch.inputs).logits.cpu() for batch in batches])
    table = classifier.prediction_table(classes, "test", dataset, logits).drop(columns=["split", "label"])
    table.insert(1, "condition", name)
    return table


def attention_maps(batch: Batch, output: FusionOutput, clock: Clock, frames: Store) -> dict[str, torch.Tensor]:
    """Attention of each clip without padding, and the times in seconds of its audio steps and frames."""
    assert output.video_to_audio is not None and output.audio_to_video is not None
    assert output.audio_span is not None
    maps, steps_in, steps_out = {}, output.audio_span, output.video_to_audio.shape[-1]
    for row, clip in enumerate(batch.ids):
        start, hop = clock(clip)
        audio_steps = math.ceil(int(batch.audio_mask[row].sum()) * steps_out / steps_in)
        video_steps = int(batch.video_mask[row].sum())
        maps[f"{clip}/video_to_audio"] = output.video_to_audio[row, :video_steps, :audio_steps]
        maps[f"{clip}/audio_to_video"] = output.audio_to_video[row, :audio_steps, :video_steps]
        maps[f"{clip}/audio_times"] = (torch.arange(audio_steps) + 0.5) * hop * steps_in / steps_out + start
        maps[f"{clip}/video_times"] = torch.from_numpy(frames.get(clip, "times").astype("float32"))
    return {name: value.float().cpu().contiguous() for name, value in maps.items()}
