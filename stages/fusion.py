"""Stage fusion: audio and video joined on the emotion corpus, warm-started from both pretrained models.

Two phases: first the fusion and the classifiers over frozen encoders, then also the last layers of both
encoders, each with a learning rate of its own. What stays frozen in the video encoder is computed once.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from safetensors.torch import save_file

from stages.lib import cli, params, runtime
from stages.lib.compute import ComputeParams
from stages.lib.data import tables
from stages.lib.data.audio import AudioAugmentParams
from stages.lib.data.dataset import Batch, ClipDataset
from stages.lib.data.video import FrameSource
from stages.lib.features.store import FeatureStore
from stages.lib.models.fusion import Fusion, FusionOutput, build_fusion
from stages.lib.models.video import BLOCKS
from stages.lib.models.wavlm import SpeechParams
from stages.lib.outputs import whole_folder
from stages.lib.training import checkpoint, emotion, freeze, loop
from stages.lib.training.frozen import frozen_video
from stages.lib.training.speech import AudioParams, audio_arguments, audio_source, cached_parameters

OUT = Path("data/models/fusion")
PRETRAINED = {"audio": Path("data/models/pretrain_audio"), "video": Path("data/models/pretrain_video")}


@dataclass(frozen=True, kw_only=True)
class XattnParams:
    """Section `xattn`: cross-attention between the modalities."""

    d_model: int
    heads: int
    head: Literal["concat", "gated"]
    dropout: float  # of attention weights
    stochastic_depth: float  # probability that a training clip skips the attention branch

    def __post_init__(self) -> None:
        if self.heads < 1 or self.d_model % self.heads:
            raise ValueError(f"heads is {self.heads}; it must divide d_model ({self.d_model}), such as 1, 2, 4 or 8")
        _probabilities(self, "dropout", "stochastic_depth")


@dataclass(frozen=True, kw_only=True)
class FusionParams(loop.OptimParams):
    """Section `fusion`."""

    mode: Literal["audio", "video", "late", "concat", "gated", "xattn", "xattn_concat", "xattn_gated"]
    head_epochs: int  # encoders frozen
    epochs: int  # encoders' last layers open
    audio_lr: float  # of wavlm's open layers, or of a whole mel encoder
    video_lr: float  # of the open ResNet blocks
    video_blocks: int  # last blocks that learn
    dropout: float
    gate_bias: float  # sigmoid(gate_bias) is the share of audio at first
    audio_dropout: float  # gated: probability of losing that modality's embedding in training
    video_dropout: float
    label_smoothing: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("audio_lr", "video_lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if not 0 <= self.video_blocks <= BLOCKS:
            raise ValueError(f"video_blocks is {self.video_blocks}; give 0 to {BLOCKS} ({BLOCKS} opens the stem too)")
        _probabilities(self, "dropout", "audio_dropout", "video_dropout", "label_smoothing")
        if min(self.head_epochs, self.epochs) < 0 or self.head_epochs + self.epochs == 0:
            raise ValueError(f"epochs is {self.epochs} and head_epochs {self.head_epochs}; train for 1 or more in all")
        if self.audio_dropout + self.video_dropout > 1:
            raise ValueError("audio_dropout and video_dropout add up to more than 1, but never both are dropped")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this stage reads from params.yaml."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    xattn: XattnParams
    fusion: FusionParams
    augment: AudioAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params.read(file, "seed", int),
        compute=params.read(file, "compute", ComputeParams),
        speech=params.read(file, "speech", SpeechParams),
        audio=params.read(file, "audio", AudioParams),
        xattn=params.read(file, "xattn", XattnParams),
        fusion=params.read(file, "fusion", FusionParams),
        augment=params.read(file, "augment.audio", AudioAugmentParams),
    )


def architecture(config: Config, classes: int) -> dict:
    """Arguments of build_fusion."""
    fusion, xattn = config.fusion, config.xattn
    mode, _, head = fusion.mode.partition("_")  # xattn_gated is xattn with that head, whatever xattn.head says
    options = {
        "concat": {"dropout": fusion.dropout},
        "gated": {
            "dropout": fusion.dropout,
            "audio_dropout": fusion.audio_dropout,
            "video_dropout": fusion.video_dropout,
            "gate_bias": fusion.gate_bias,
        },
        "xattn": {
            "d_model": xattn.d_model,
            "heads": xattn.heads,
            "head": head or xattn.head,
            "attention_dropout": xattn.dropout,
            "stochastic_depth": xattn.stochastic_depth,
            "dropout": fusion.dropout,
            "gate_bias": fusion.gate_bias,
        },
    }
    return {
        "mode": mode,
        "classes": classes,
        "audio": None if mode == "video" else audio_arguments(config.audio, config.speech),
        "video": None if mode == "audio" else {},
        "options": options.get(mode, {}),
    }


def phases(model: Fusion, p: FusionParams) -> list[loop.Phase]:
    """Which weights learn when, and how fast."""
    head = {"params": model.head_parameters(), "lr": p.lr}
    encoders = []
    if model.audio is not None:
        encoders.append({"params": model.audio.encoder_parameters(), "lr": p.audio_lr})
    if model.video is not None:
        encoders.append({"params": model.video.last_parameters(p.video_blocks), "lr": p.video_lr})

    def prepare(groups: list[dict]) -> list[dict]:
        freeze.train_only(model, (parameter for group in groups for parameter in group["params"]))
        return [group for group in groups if group["params"]]

    both = [
        loop.Phase(name="head", epochs=p.head_epochs, prepare=lambda: prepare([head])),
        loop.Phase(name="finetune", epochs=p.epochs, prepare=lambda: prepare([head, *encoders])),
    ]
    return [phase for phase in both if phase.epochs]


def warm_start(model: Fusion, classes: list[str]) -> dict[str, dict[str, list[str]]]:
    """Load both pretrained models into the fusion; returns which weights were taken, by modality."""
    report = {}
    for name, folder in PRETRAINED.items():
        part = getattr(model, name)
        if part is None:
            continue
        config, state = checkpoint.load(folder)
        if config["classes"] != classes:
            raise ValueError(f"{folder}: trained for the classes {config['classes']}, not {classes}; run `dvc repro`")
        report[name] = checkpoint.warm_start(part, state, str(folder))
    return report


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


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    p, seed = config.fusion, config.seed
    device = runtime.setup(seed, config.compute)

    data = emotion.EmotionData()
    built = architecture(config, len(data.classes))
    model = build_fusion(**built)
    taken = warm_start(model, data.classes)
    model.to(device)

    clean = audio_source("emotion", config.audio, config.speech)
    noisy = audio_source("emotion", config.audio, config.speech, config.augment, seed)
    store = FeatureStore(Path("data/features/frames/emotion"))
    video = None
    if model.video is not None:
        clips = sorted(clip for split in ("train", "val", "test") for clip in data.ids(split))
        video = frozen_video(model.video, FrameSource(store), clips, p.video_blocks, device)
    training = data.dataset("train", noisy, video)
    held_out = {split: data.dataset(split, clean, video) for split in ("val", "test")}

    def logits(batch: Batch) -> torch.Tensor:
        return model(*batch.inputs).logits

    plan = phases(model, p)
    history = emotion.train(model, logits, training, held_out["val"], plan, p, p.label_smoothing, seed, device, p.mode)
    with whole_folder(OUT) as folder:
        checkpoint.save(folder, model, {"classes": data.classes, "architecture": built, "warm_start": taken})
        tables.write_results(folder / "history.csv", history)
        hop = clean.store.facts["hop_seconds"]
        export(folder, model, data.classes, held_out, hop, store, p.batch_size, device)


def summary(config: Config, classes: int = 8) -> dict:
    """Parameter counts as they stand in the last phase."""
    model = build_fusion(**architecture(config, classes))
    phases(model, config.fusion)[-1].prepare()
    cached = cached_parameters(model.audio, config.speech)
    return freeze.summarize(model, {"audio": model.audio, "video": model.video}, rest="fusion", cached=cached)


def _probabilities(section: object, *names: str) -> None:
    for name in names:
        if not 0.0 <= getattr(section, name) <= 1.0:
            raise ValueError(f"{name} is {getattr(section, name)}; it lies in 0 to 1")


if __name__ == "__main__":
    cli.run(main)
