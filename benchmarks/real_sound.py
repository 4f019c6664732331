"""Part sound of benchmarks.real: RAVDESS speech in the folds luna_jimenez, without pretrained weights.

The preset is trained for all folds and seeds, and its test clips are scored once. Each row of the ablations changes one
value of it; only validation clips of two folds score them.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.real_trials import Corpus, cpu_seconds, in_words, predictions, python, scored, side_by_side, train

NEEDS = ("ravdess",)
FOLDS = (1, 3)  # of the ablations
OFF = {"scale": 0.0, "shift": 0.0, "tempo": 0.0}
ABLATIONS: dict[str, Mapping[str, Any]] = {
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


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The tables of this part."""
    people = corpus(options, folder)
    parts = [f"## Sound: RAVDESS speech, five folds of speakers\n\n{final(people, options.seeds, options.workers)}"]
    return "\n\n".join([*parts, ablations(people, options.workers)]) + "\n"


def corpus(options: argparse.Namespace, folder: Path) -> Corpus:
    """RAVDESS speech by preset ravdess_sound."""
    return Corpus(
        folder=folder.resolve(),
        preset="ravdess_sound",
        changes={
            "corpora.emotion": {"name": "ravdess", "root": options.ravdess.resolve().as_posix()},
            "corpora.affect": {"name": None, "root": "data/none"},
            "views.emotion": [],
            "augment.audio.views": {"clean": 1},
        },
        kinds=("mel", "prosody"),
    )


def final(corpus: Corpus, seeds: int, workers: int) -> str:
    """Scores of the preset with several seeds, on validation and test, beside those of the baseline."""
    projects = [corpus.project(f"seed_{seed}", {"seed": seed}) for seed in range(seeds)]
    side_by_side([partial(train, "pretrain_audio", p, fold) for p in projects for fold in corpus.folds()], workers)
    lines = ["| UAR over all folds, with its 95 % interval over speakers | validation | test |", "|---|---|---|"]
    for title, folders in (
        ("stage baseline on eGeMAPS", [baseline(corpus.data({}))]),
        (f"preset ravdess_sound, mean ± deviation of {seeds} seeds", projects),
    ):
        cells = [in_words([predictions(folder, split) for folder in folders]) for split in ("val", "test")]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    seconds = sum(map(cpu_seconds, projects)) / seeds
    return "\n".join([*lines, "", f"CPU time of one network and fold: {seconds:.0f} s."])


def baseline(project: Path) -> Path:
    """The folder of the stage baseline in a project."""
    folder = project / "data/models/baseline/emotion"
    if not folder.exists():
        python(project, "-m", "stages.baseline", "--role", "emotion")
    return folder


def ablations(corpus: Corpus, workers: int) -> str:
    """Validation UAR of each fold in FOLDS, one seed."""
    projects = {
        title: corpus.project(f"ablation_{i}" if changes else "seed_0", changes or {"seed": 0})
        for i, (title, changes) in enumerate(ABLATIONS.items())
    }
    side_by_side([partial(train, "pretrain_audio", p, fold) for p in projects.values() for fold in FOLDS], workers)
    lines = [f"| validation UAR, seed 0 | {' | '.join(f'fold {fold}' for fold in FOLDS)} |", "|---|---:|---:|"]
    for title, project in projects.items():
        table = predictions(project, "val")
        values = [scored([table[table["fold"] == fold]])[0][0] for fold in FOLDS]
        lines.append(f"| {title} | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)
