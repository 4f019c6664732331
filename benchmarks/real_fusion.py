"""Part fusion of benchmarks.real: sound and picture of films of people, in folds of two speakers.

The audio model starts from one that preset ravdess_sound trained on other people, the video model from stills. Every
mode fuses the same two models, whose encoders stay frozen. The modes are compared on validation; the table has their
test scores too, each scored once.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import real_faces, real_sound
from benchmarks.real_trials import Corpus, cpu_seconds, in_words, predictions, side_by_side, train

NEEDS = ("ravdess", "films", "stills")
RESIDUAL = {"fusion.residual": True}
GATE = {"fusion.gate_bias": 0.0}  # even shares at the start
UNTRAINED = {"fusion.head_epochs": 0, "fusion.epochs": 0}
MODES: dict[str, Mapping[str, Any]] = {
    "sound": UNTRAINED | {"fusion.mode": "audio"},
    "picture": UNTRAINED | {"fusion.mode": "video"},
    "late, mean": UNTRAINED | {"fusion.mode": "late", "fusion.late_rule": "mean"},
    "late, product": UNTRAINED | {"fusion.mode": "late", "fusion.late_rule": "product"},
    "concat (the preset)": {"fusion.mode": "concat"},
    "gated": GATE | {"fusion.mode": "gated"},
    "cross-attention, gated": GATE | {"fusion.mode": "xattn_gated"},
    "concat, residual": RESIDUAL | {"fusion.mode": "concat"},
    "gated, residual": RESIDUAL | GATE | {"fusion.mode": "gated"},
    "cross-attention, gated, residual": RESIDUAL | GATE | {"fusion.mode": "xattn_gated"},
    "gated, residual of the product": RESIDUAL | GATE | {"fusion.mode": "gated", "fusion.late_rule": "product"},
    "gated, residual, unimodal losses": RESIDUAL | GATE | {"fusion.mode": "gated", "fusion.unimodal_loss": 0.5},
}


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The table of this part."""
    films = corpus(options, folder)
    starts = {
        "pretrain_audio.checkpoint": voice(options).as_posix(),
        "pretrain_video.face_checkpoint": real_faces.pretrained(films.data({})).as_posix(),
    }
    projects: dict[str, list[Path]] = {title: [] for title in MODES}
    for seed in range(options.seeds):
        parts = films.project(f"parts_{seed}", starts | {"seed": seed})
        for stage in ("pretrain_audio", "pretrain_video"):
            jobs = [partial(train, stage, parts, fold, Path(stage)) for fold in films.folds()]
            side_by_side(jobs, options.workers)
        checkpoints = {f"fusion.{part}_checkpoint": str(parts / f"pretrain_{part}") for part in ("audio", "video")}
        for title, changes in MODES.items():
            name = f"{title.replace(', ', '_').replace(' ', '_')}_{seed}"
            projects[title].append(films.project(name, starts | checkpoints | changes | {"seed": seed}))
    folds = films.folds()
    side_by_side(
        [partial(train, "fusion", p, k) for of in projects.values() for p in of for k in folds], options.workers
    )
    return table(projects, options.seeds)


def corpus(options: argparse.Namespace, folder: Path) -> Corpus:
    """The films with their stills, by preset films."""
    folder.mkdir(parents=True, exist_ok=True)
    return Corpus(
        folder=folder.resolve(),
        preset="films",
        changes=real_faces.corpora(options, folder) | {"views.emotion": [], "augment.audio.views": {"clean": 1}},
        kinds=("mel", "frames", "prosody"),
    )


def voice(options: argparse.Namespace) -> Path:
    """A model of sound trained on RAVDESS: seed 0 and fold 1 of part sound, trained here if that part has not run."""
    trained = real_sound.corpus(options, options.out / "sound")
    project = trained.project("seed_0", {"seed": 0})
    train("pretrain_audio", project, 1)
    return project / "fold_1"


def table(projects: Mapping[str, list[Path]], seeds: int) -> str:
    """UAR of each mode, as it is and relative to the speaker, on validation and test."""
    lines = [
        "## Fusion: films of people, five folds of two speakers",
        "",
        f"UAR: mean ± deviation of {seeds} seeds, 95 % interval over speakers. B: minus the speaker's mean logit.",
        "",
        "| | validation | test | validation, B | test, B |",
        "|---|---|---|---|---|",
    ]
    for title, folders in projects.items():
        cells = [
            in_words([real_faces.relative(predictions(folder, split), how) for folder in folders])
            for how in real_faces.REGIMES.values()
            for split in ("val", "test")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    seconds = sum(cpu_seconds(folder) for of in projects.values() for folder in of) / sum(map(len, projects.values()))
    return "\n".join([*lines, "", f"CPU time of a fusion and fold, frozen encoders computed: {seconds:.0f} s.", ""])
