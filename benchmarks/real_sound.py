"""Part sound of benchmarks.real: RAVDESS speech in the folds luna_jimenez, without pretrained weights.

The preset is trained for all folds and seeds, and its test clips are scored once.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.real_scores import LEGEND, REGIMES, SPLITS, A, mean, predictions, relative, scored, table
from benchmarks.real_trials import Corpus, cpu_seconds, python, side_by_side, train

NEEDS = ("ravdess",)
BASELINE, ONE = "stage baseline on eGeMAPS", "preset ravdess_sound, one network"
MEAN, WITH = "mean of the networks", "mean of the networks, with share {} of the baseline"
SHARES = (0.25, 0.5, 0.75)  # of the baseline in the mean with the networks; validation chooses


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The table of this part: the preset with several seeds, their mean, and both with the baseline."""
    people = corpus(options, folder)
    projects = [people.project(f"seed_{seed}", {"seed": seed}) for seed in range(options.seeds)]
    jobs = [partial(train, "pretrain_audio", project, fold) for project in projects for fold in people.folds()]
    side_by_side(jobs, options.workers)
    baselines = {how: baseline(people, how) for how in ("corpus", "speaker")}
    found = {split: rows(projects, baselines, split) for split in SPLITS}
    share = max(SHARES, key=lambda share: scored([found["val"][WITH.format(share)][0][0]])[0][0])
    titles = [title for title in found["val"] if title in (BASELINE, ONE, MEAN, WITH.format(share))]
    seconds = sum(map(cpu_seconds, projects)) / len(projects)
    return "\n".join(
        [
            "## Sound: RAVDESS speech, five folds of speakers",
            "",
            f"Mean ± deviation of {options.seeds} seeds, 95 % interval over speakers. {LEGEND} In B and Bz the "
            f"baseline's functionals are standardised by speaker. Share {share} of the baseline: by validation in A.",
            "",
            *table({title: {split: found[split][title] for split in SPLITS} for title in titles}),
            "",
            f"CPU time of one network and fold: {seconds:.0f} s.",
            "",
        ]
    )


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


def rows(projects: Sequence[Path], baselines: Mapping[str, Path], split: str) -> dict[str, list[list[pd.DataFrame]]]:
    """Title -> for each of REGIMES, the tables of a row (one a seed)."""
    parts: dict[str, list[list[pd.DataFrame]]] = {}
    for regime, how in REGIMES.items():
        linear = predictions(baselines["corpus" if regime == A else "speaker"], split)
        networks = [relative(predictions(project, split), how) for project in projects]
        equal = [1 / len(networks)] * len(networks)
        row = {BASELINE: [linear], ONE: networks, MEAN: [mean(networks, equal)]}
        row |= {
            WITH.format(share): [mean([*networks, linear], [*((1 - share) * part for part in equal), share])]
            for share in SHARES
        }
        for title, tables in row.items():
            parts.setdefault(title, []).append(tables)
    return parts


def baseline(corpus: Corpus, normalise: str) -> Path:
    """The folder of the stage baseline whose functionals are standardised by the corpus or by speaker."""
    project = corpus.project(f"baseline_{normalise}", {"baseline.normalise": normalise})
    folder = project / "data/models/baseline/emotion"
    if not folder.exists():
        python(project, "-m", "stages.baseline", "--role", "emotion")
    return folder
