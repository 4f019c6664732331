"""Part ablations of benchmarks.real: each default of the presets for people against one change of it.

Only validation clips are scored: of folds 1 and 3 of the sound, because a training takes minutes, and of all folds of
the films.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import real_faces, real_fusion, real_sound
from benchmarks.real_scores import REGIMES, in_words, predictions, relative
from benchmarks.real_trials import side_by_side, train

NEEDS = ("ravdess", "films", "stills")
FOLDS = (1, 3)  # of the sound
OFF = {"scale": 0.0, "shift": 0.0, "tempo": 0.0}
SOUND: dict[str, Mapping[str, Any]] = {
    "the preset": {},
    "untrimmed": {"features.mel.trim_db": None},
    "untrimmed, the first 3 s": {"features.mel.trim_db": None, "features.mel.seconds": 3.0},
    "floor 80 dB below the loudest point": {"features.mel.top_db": 80.0},
    "64 bands of 0 to 8000 Hz, windows of 25 ms every 10 ms": {
        "features.mel.n_fft": 400,
        "features.mel.window": 400,
        "features.mel.hop": 160,
        "features.mel.mels": 64,
        "features.mel.low": 0.0,
        "augment.audio.crop": 256,
    },
    "training on whole clips": {"augment.audio.crop": None},
    "without warp": {"augment.audio.warp": OFF},
    "without masks": {"augment.audio.spec_augment": {"p": 0.0, "masks": 2, "freq": 10, "time": 16}},
    "without mixup": {"pretrain_audio.mixup": 0.0},
    "mixup 0.4": {"pretrain_audio.mixup": 0.4},
    "without warm-up": {"pretrain_audio.warmup": 0.0},
    "without average": {"pretrain_audio.ema": 0.0},
    "best epoch": {"pretrain_audio.select": "best", "pretrain_audio.patience": 50},
    "weight decay of all weights": {"pretrain_audio.decay_all": True},
    "each clip once an epoch": {"pretrain_audio.sampling": "shuffled"},
    "30 epochs": {"pretrain_audio.epochs": 30},
    "embedding of 384": {"audio.dim": 384},
    "encoder resnet18, the first 3 s": {
        "features.mel.seconds": 3.0,
        "audio.encoder": "resnet18",
        "audio.dim": 128,
    },
}

FACES: dict[str, Mapping[str, Any]] = {
    "the preset": {},
    "the box of the first frame with a face": {"features.frames.boxes": "first"},
    "boxes without margin": {"features.frames.margin": 0.0},
    "4 frames": {"features.frames.count": 4},
    "mean over frames": {"video.pooling": "mean"},
    "the last stage alone": {"video.stages": 1},
    "the last block trained too": {"pretrain_video.blocks": 1},
    "without stills: all blocks trained from scratch": {"pretrain_video.start": "none", "pretrain_video.blocks": None},
    "without label smoothing": {"pretrain_video.label_smoothing": 0.0},
    "best epoch": {"pretrain_video.select": "best"},
}
CROSS = real_fusion.MODES["cross-attention, gated"]
FUSION: dict[str, Mapping[str, Any]] = {
    "the preset: concat": {"fusion.mode": "concat"},
    "without average": {"fusion.ema": 0.0},
    "best epoch": {"fusion.select": "best"},
    "weight decay of all weights": {"fusion.decay_all": True},
    "without warm-up": {"fusion.warmup": 0.0},
    "without dropout": {"fusion.dropout": 0.0},
    "without label smoothing": {"fusion.label_smoothing": 0.0},
    "mixup 0.2": {"fusion.mixup": 0.2},
    "a correction of the late mean": {"fusion.residual": True},
    "unimodal losses": {"fusion.unimodal_loss": 0.5},
    "then 10 epochs with both encoders open": {"fusion.epochs": 10},
    "cross-attention, gated": CROSS,
    "cross-attention, a share of .27 of sound at the start": CROSS | {"fusion.gate_bias": -1.0},
    "cross-attention without modality dropout": CROSS | {"fusion.audio_dropout": 0.0, "fusion.video_dropout": 0.0},
    "cross-attention, a correction of the late mean": CROSS | {"fusion.residual": True},
    "cross-attention with 1 head": CROSS | {"xattn.heads": 1},
    "cross-attention of width 32": CROSS | {"xattn.d_model": 32},
}


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The tables of this part."""
    lines = ["## Ablations, on validation", ""]
    for what, table in (("sound", sound), ("picture", faces), ("fusion", fusion)):
        lines += [f"| {what}, seed 0: validation UAR | {' | '.join(REGIMES)} |", "|---|" + "---|" * len(REGIMES)]
        for title, trained in table(options, folder / what).items():
            found = predictions(trained, "val")
            cells = [in_words([relative(found, how)]) for how in REGIMES.values()]
            lines.append(f"| {title} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def sound(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Title -> folder of the trained folds of a row of SOUND."""
    corpus = real_sound.corpus(options, folder)
    projects = {title: corpus.project(_name(title), changes) for title, changes in SOUND.items()}
    side_by_side([partial(train, "pretrain_audio", p, k) for p in projects.values() for k in FOLDS], options.workers)
    return projects


def faces(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Title -> folder of the trained folds of a row of FACES."""
    corpus = real_faces.corpus(options, folder)
    start = {"pretrain_video.face_checkpoint": stills(options).as_posix()}
    projects = {title: corpus.project(_name(title), start | changes) for title, changes in FACES.items()}
    jobs = [partial(train, "pretrain_video", p, k) for p in projects.values() for k in corpus.folds()]
    side_by_side(jobs, options.workers)
    return projects


def fusion(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Title -> folder of the trained folds of a row of FUSION; all fuse the parts of seed 0 of part fusion."""
    corpus = real_fusion.corpus(options, folder)
    starts = real_fusion.parts(options, real_fusion.corpus(options, options.out / "fusion"), 0)
    projects = {title: corpus.project(_name(title), starts | changes) for title, changes in FUSION.items()}
    side_by_side([partial(train, "fusion", p, k) for p in projects.values() for k in corpus.folds()], options.workers)
    return projects


def stills(options: argparse.Namespace) -> Path:
    """The face encoder of part faces, trained here if that part has not run."""
    return real_faces.pretrained(real_faces.corpus(options, options.out / "faces").data({}))


def _name(title: str) -> str:
    return "_".join(title.replace(",", "").replace(":", "").replace(".", "").split())
