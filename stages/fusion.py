"""Stage fusion: audio and video joined on the emotion corpus, warm-started from both pretrained models.

Two phases: first the fusion and the classifiers over frozen encoders, then also the last layers of both
encoders, each with a learning rate of its own. What stays frozen in the video encoder is computed once.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from stages.lib import cli, params
from stages.lib.compute import ComputeParams
from stages.lib.data import tables
from stages.lib.data.audio import AudioAugmentParams
from stages.lib.data.dataset import Batch
from stages.lib.data.video import FrameAugmentParams, FrameSource
from stages.lib.features.store import FeatureStore
from stages.lib.models.fusion import build_fusion
from stages.lib.models.wavlm import SpeechParams
from stages.lib.training import checkpoint, emotion, exports, freeze, live
from stages.lib.training.folds import Fold
from stages.lib.training.frozen import frozen_video
from stages.lib.training.fusion import FusionParams, XattnParams, architecture, phases, warm_start
from stages.lib.training.speech import AudioParams, audio_source, cached_parameters, start

OUT = Path("data/models/fusion")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this stage reads from params.yaml."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    xattn: XattnParams
    fusion: FusionParams
    audio_augment: AudioAugmentParams
    frame_augment: FrameAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params.read(file, "seed", int),
        compute=params.read(file, "compute", ComputeParams),
        speech=params.read(file, "speech", SpeechParams),
        audio=params.read(file, "audio", AudioParams),
        xattn=params.read(file, "xattn", XattnParams),
        fusion=params.read(file, "fusion", FusionParams),
        audio_augment=params.read(file, "augment.audio", AudioAugmentParams),
        frame_augment=params.read(file, "augment.frames", FrameAugmentParams),
    )


def train(config: Config, fold: Fold | None, folder: Path) -> None:
    """Train, select and predict on one split of the clips; leaves everything in folder."""
    p, seed, device = config.fusion, *emotion.setup(config.seed, config.compute, fold)
    data = emotion.EmotionData(fold)
    built = architecture(p, config.xattn, config.audio, config.speech, len(data.classes))
    model = build_fusion(**built)

    clean = audio_source("emotion", config.audio, config.speech)
    noisy = audio_source("emotion", config.audio, config.speech, config.audio_augment, seed)
    taken = {}
    for name, part in (("audio", model.audio), ("video", model.video)):
        if part is not None and name in p.warm_start:
            taken[name] = warm_start(part, Path(getattr(p, f"{name}_checkpoint")), data.classes, fold)
    if model.audio is not None and "audio" not in p.warm_start:
        start(model.audio, config.speech, (clean(clip, None) for clip in data.ids("train")))
    model.to(device)

    store = FeatureStore(Path("data/features/frames/emotion"))
    video = None
    if model.video is not None:
        augmented = FrameSource(store, replace(config.frame_augment, draw=None), seed)
        video = frozen_video(model.video, augmented, data, p.video_blocks, p.video_views, device)
    training = data.dataset("train", noisy, video)
    held_out = {split: data.dataset(split, clean, video) for split in ("val", "test")}

    def logits(batch: Batch) -> torch.Tensor:
        return model(*batch.inputs).logits

    plan = phases(model, p)
    curves = live.path(OUT.name, fold.name if fold else "")
    history = emotion.train(
        model, logits, training, held_out["val"], plan, p, p.label_smoothing, seed, device, config.compute, curves
    )
    features = {"mel" if clean.mel else "wavlm": clean.store.settings} if model.audio is not None else {}
    features |= {"frames": store.settings} if model.video is not None else {}
    facts = {"classes": data.classes, "architecture": built, "features": features, "warm_start": taken}
    checkpoint.save(folder, model, facts)
    tables.write_results(folder / "history.csv", history)
    hop = clean.store.facts["hop_seconds"]
    harder = exports.conditions(model, data, clean, video)
    exports.export(folder, model, data.classes, held_out, harder, hop, store, p.batch_size, device)


def summary(config: Config, classes: int = 8) -> dict:
    """Parameter counts as they stand in the last phase."""
    model = build_fusion(**architecture(config.fusion, config.xattn, config.audio, config.speech, classes))
    phases(model, config.fusion)[-1].prepare()
    cached = cached_parameters(model.audio, config.speech)
    return freeze.summarize(model, {"audio": model.audio, "video": model.video}, rest="fusion", cached=cached)


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    inputs = [Path(config.fusion.audio_checkpoint), Path(config.fusion.video_checkpoint)]
    emotion.train_splits(partial(train, config), config, "stages.fusion", OUT, inputs)


if __name__ == "__main__":
    cli.run(main)
