"""Part faces of benchmarks.real: films of people, by a face encoder pretrained on stills, in folds of two speakers.

Speakers in the order of their names are paired; pair k tests, the next one validates, all others train. The preset was
chosen on validation; its test clips are scored once.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.real_scores import LEGEND, REGIMES, SPLITS, predictions, relative, table
from benchmarks.real_trials import Corpus, cpu_seconds, python, side_by_side, train

NEEDS = ("films", "stills")


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The tables of this part."""
    films = corpus(options, folder)
    faces = pretrained(films.data({}))
    changes = {"pretrain_video.face_checkpoint": faces.as_posix()}
    projects = [films.project(f"seed_{seed}", changes | {"seed": seed}) for seed in range(options.seeds)]
    side_by_side([partial(train, "pretrain_video", p, k) for p in projects for k in films.folds()], options.workers)
    scores = json.loads((faces / "scores.json").read_text(encoding="utf-8"))
    found = {
        split: [[relative(predictions(p, split), how) for p in projects] for how in REGIMES.values()]
        for split in SPLITS
    }
    seconds = sum(map(cpu_seconds, projects)) / len(projects)
    return "\n".join(
        [
            "## Faces: films of people, five folds of two speakers",
            "",
            f"Stills: accuracy {scores['test']['accuracy']:.3f}, UAR {scores['test']['uar']:.3f} of "
            f"{scores['test']['pictures']} test pictures. Films: mean ± deviation of {options.seeds} seeds, 95 % "
            f"interval over speakers. {LEGEND}",
            "",
            *table({"preset films, picture alone": found}),
            "",
            f"CPU time of a classifier over the frozen encoder, a fold: {seconds:.0f} s.",
            "",
        ]
    )


def corpus(options: argparse.Namespace, folder: Path) -> Corpus:
    """The films and the stills by preset films, without sound."""
    folder.mkdir(parents=True, exist_ok=True)
    return Corpus(folder=folder.resolve(), preset="films", changes=corpora(options, folder), kinds=("frames",))


def corpora(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Params of the films in pairs of speakers, and of the stills."""
    parts = {path.name.lower() for path in options.stills.iterdir()}
    table = parts & {"fer2013.csv", "icml_face_data.csv"}
    fear = any((options.stills / part / "fear").is_dir() for part in ("train", "test"))
    stills = "fer2013" if table or fear else "images"
    return {
        "corpora.emotion": {"name": "csv", "root": options.films.resolve().as_posix()},
        "corpora.affect": {"name": None, "root": "data/none"},
        "corpora.faces": {"name": stills, "root": options.stills.resolve().as_posix()},
        "manifest.csv.table": paired(options.films, folder / "paired.csv").resolve().as_posix(),
        "manifest.emotion.split": "given",
    }


def paired(films: Path, file: Path) -> Path:
    """A copy of the corpus's one table with pairs of speakers as folds in its column split."""
    (given,) = films.glob("*.csv")
    films_table = pd.read_csv(given, dtype=str, keep_default_na=False)
    order = sorted(set(films_table["speaker"]))
    films_table.assign(split=[1 + order.index(name) // 2 for name in films_table["speaker"]]).to_csv(file, index=False)
    return file


def pretrained(project: Path) -> Path:
    """The folder of the stage pretrain_face in a project; trained once."""
    folder = project / "data/models/pretrain_face"
    if not folder.is_dir():
        python(project, "-m", "stages.features", "frames", "--role", "faces")
        python(project, "-m", "stages.pretrain_face")
    return folder
