"""Part fusion of benchmarks.real: sound and picture of films of people, in folds of two speakers.

The audio model starts from one that preset ravdess_sound trained on other people, the video model from stills. Every
mode fuses the same two models, whose encoders stay frozen. Validation chooses among the modes; the table has the
test scores of all, each scored once.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import real_faces, real_sound
from benchmarks.real_scores import LEGEND, REGIMES, SPLITS, gain, mean, predictions, relative, table
from benchmarks.real_trials import Corpus, cpu_seconds, side_by_side, train

NEEDS = ("ravdess", "films", "stills")
GATE = {"fusion.gate_bias": 0.0}  # even shares at the start
UNTRAINED = {"fusion.head_epochs": 0, "fusion.epochs": 0}
MODES: dict[str, Mapping[str, Any]] = {
    "sound": UNTRAINED | {"fusion.mode": "audio"},
    "picture": UNTRAINED | {"fusion.mode": "video"},
    "late, mean": UNTRAINED | {"fusion.mode": "late", "fusion.late_rule": "mean"},
    "late, product": UNTRAINED | {"fusion.mode": "late", "fusion.late_rule": "product"},
    "concat": {"fusion.mode": "concat"},
    "gated": GATE | {"fusion.mode": "gated"},
    "cross-attention, gated": GATE | {"fusion.mode": "xattn_gated"},
}
PARTS = ("sound", "late, mean", "late, product")  # that the learned modes are compared with
LEARNED = ("concat", "gated", "cross-attention, gated")


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The table of this part."""
    films = corpus(options, folder)
    projects: dict[str, list[Path]] = {title: [] for title in MODES}
    for seed in range(options.seeds):
        starts = parts(options, films, seed)
        for title, changes in MODES.items():
            name = f"{title.replace(', ', '_').replace(' ', '_')}_{seed}"
            projects[title].append(films.project(name, starts | changes))
    folds = films.folds()
    side_by_side(
        [partial(train, "fusion", p, k) for of in projects.values() for p in of for k in folds], options.workers
    )
    return in_tables(projects, options.seeds)


def corpus(options: argparse.Namespace, folder: Path) -> Corpus:
    """The films with their stills, by preset films."""
    folder.mkdir(parents=True, exist_ok=True)
    return Corpus(
        folder=folder.resolve(),
        preset="films",
        changes=real_faces.corpora(options, folder) | {"views.emotion": [], "augment.audio.views": {"clean": 1}},
        kinds=("mel", "frames", "prosody"),
    )


def parts(options: argparse.Namespace, films: Corpus, seed: int) -> dict[str, Any]:
    """Params of a fusion of the models of sound and picture of a seed, which are trained here."""
    starts = {
        "seed": seed,
        "pretrain_audio.checkpoint": voice(options).as_posix(),
        "pretrain_video.face_checkpoint": real_faces.pretrained(films.data({})).as_posix(),
    }
    project = films.project(f"parts_{seed}", starts)
    for stage in ("pretrain_audio", "pretrain_video"):
        jobs = [partial(train, stage, project, fold, Path(stage)) for fold in films.folds()]
        side_by_side(jobs, options.workers)
    return starts | {f"fusion.{part}_checkpoint": str(project / f"pretrain_{part}") for part in ("audio", "video")}


def voice(options: argparse.Namespace) -> Path:
    """A model of sound trained on RAVDESS: seed 0 and fold 1 of part sound, trained here if that part has not run."""
    trained = real_sound.corpus(options, options.out / "sound")
    project = trained.project("seed_0", {"seed": 0})
    train("pretrain_audio", project, 1)
    return project / "fold_1"


def in_tables(projects: Mapping[str, list[Path]], seeds: int) -> str:
    """UAR of each mode on validation and test, and the differences of some of them on test."""
    found = {
        title: {
            split: [[relative(predictions(p, split), how) for p in folders] for how in REGIMES.values()]
            for split in SPLITS
        }
        for title, folders in projects.items()
    }
    equal = [1 / seeds] * seeds
    means = {
        f"{title}, mean of the networks": {
            split: [[mean(tables, equal)] for tables in by_regime] for split, by_regime in rows.items()
        }
        for title, rows in found.items()
    }
    seconds = sum(cpu_seconds(folder) for of in projects.values() for folder in of) / sum(map(len, projects.values()))
    lines = [
        "## Fusion: films of people, five folds of two speakers",
        "",
        f"Mean ± deviation of {seeds} seeds, 95 % interval over speakers. {LEGEND}",
        "",
        *table(found | means),
        "",
        f"| difference on test, paired over speakers | {' | '.join(REGIMES)} |",
        "|---|" + "---|" * len(REGIMES),
    ]
    for title, other in product(LEARNED, PARTS):
        cells = [gain(*pair) for pair in zip(found[title]["test"], found[other]["test"], strict=True)]
        lines.append(f"| {title} - {other} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"CPU time of a fusion and fold, frozen encoders computed: {seconds:.0f} s.", ""])
