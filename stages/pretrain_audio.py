"""Stage pretrain_audio: the audio model on the emotion corpus.

A mel encoder trains whole. WavLM trains in two phases from the cached state that enters its last layers:
first the classifier alone, then those layers too with a lower learning rate.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from stages.lib import cli, params
from stages.lib.compute import ComputeParams
from stages.lib.data import tables
from stages.lib.data.audio import AudioAugmentParams
from stages.lib.data.dataset import Batch
from stages.lib.models.audio import MelEncoder
from stages.lib.models.wavlm import SpeechParams
from stages.lib.training import checkpoint, emotion, freeze, live, loop
from stages.lib.training.folds import Fold
from stages.lib.training.speech import (
    AudioParams,
    audio_arguments,
    audio_source,
    build_audio,
    cached_parameters,
    start,
)

OUT = Path("data/models/pretrain_audio")


@dataclass(frozen=True, kw_only=True)
class PretrainAudioParams(loop.OptimParams):
    """Section `pretrain_audio`."""

    head_epochs: int  # classifier alone; mel encoders skip this phase
    epochs: int  # all that may train
    encoder_lr: float  # wavlm's open layers
    label_smoothing: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_epochs < 0:
            raise ValueError(f"head_epochs is {self.head_epochs}; give 0 or more")
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if self.encoder_lr <= 0:
            raise ValueError(f"encoder_lr is {self.encoder_lr}; give a number above 0")
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; it lies in 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this stage reads from params.yaml."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    pretrain: PretrainAudioParams
    augment: AudioAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params.read(file, "seed", int),
        compute=params.read(file, "compute", ComputeParams),
        speech=params.read(file, "speech", SpeechParams),
        audio=params.read(file, "audio", AudioParams),
        pretrain=params.read(file, "pretrain_audio", PretrainAudioParams),
        augment=params.read(file, "augment.audio", AudioAugmentParams),
    )


def phases(model: torch.nn.Module, p: PretrainAudioParams) -> list[loop.Phase]:
    """Which weights learn when, and how fast."""
    head, encoder = list(model.classifier.parameters()), model.encoder_parameters()
    whole = isinstance(model, MelEncoder) or not encoder

    def train_head() -> list[dict]:
        freeze.train_only(model, head)
        return [{"params": head, "lr": p.lr}]

    def train_all() -> list[dict]:
        freeze.train_only(model, head + encoder)
        groups = [{"params": head, "lr": p.lr}, {"params": encoder, "lr": p.lr if whole else p.encoder_lr}]
        return [group for group in groups if group["params"]]

    if whole:
        return [loop.Phase(name="train", epochs=p.epochs, prepare=train_all)]
    finetune = loop.Phase(name="finetune", epochs=p.epochs, prepare=train_all)
    if not p.head_epochs:
        return [finetune]
    return [loop.Phase(name="head", epochs=p.head_epochs, prepare=train_head), finetune]


def summary(config: Config, classes: int = 8) -> dict:
    """Parameter counts as they stand in the last phase."""
    model = build_audio(classes, audio_arguments(config.audio, config.speech))
    phases(model, config.pretrain)[-1].prepare()
    cached = cached_parameters(model, config.speech)
    return freeze.summarize(model, {"classifier": model.classifier}, rest="encoder", cached=cached)


def train(config: Config, fold: Fold | None, folder: Path) -> None:
    """Train, select and predict on one split of the clips; leaves everything in folder."""
    p, seed, device = config.pretrain, *emotion.setup(config.seed, config.compute, fold)
    data = emotion.EmotionData(fold)
    clean = audio_source("emotion", config.audio, config.speech)
    training = data.dataset("train", audio_source("emotion", config.audio, config.speech, config.augment, seed), None)
    held_out = {split: data.dataset(split, clean, None) for split in ("val", "test")}

    built = audio_arguments(config.audio, config.speech)
    model = build_audio(len(data.classes), built)
    start(model, config.speech, (clean(clip, None) for clip in data.ids("train")))
    model.to(device)

    def logits(batch: Batch) -> torch.Tensor:
        return model(batch.audio, batch.audio_mask)

    plan = phases(model, p)
    curves = live.path(OUT.name, fold.name if fold else "")
    history = emotion.train(
        model, logits, training, held_out["val"], plan, p, p.label_smoothing, seed, device, config.compute, curves
    )
    checkpoint.save(folder, model, {"classes": data.classes, "audio": built})
    tables.write_results(folder / "history.csv", history)
    table = emotion.predict(model, logits, data.classes, held_out, p.batch_size, device)
    tables.write_results(folder / "predictions.csv", table.sort_values("id"))


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    emotion.train_splits(partial(train, config), config, "stages.pretrain_audio", OUT)


if __name__ == "__main__":
    cli.run(main)
