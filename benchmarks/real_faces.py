"""Part faces of benchmarks.real: films of people, by a face encoder pretrained on stills, in folds of two speakers.

Speakers in the order of their names are paired; pair k tests, the next one validates, all others train. The preset was
chosen on validation; its test clips are scored once. The second score is relative to the speaker: minus the mean logit
of the speaker's own clips, which needs several unlabelled clips of a test speaker.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.scoring import speaker_logits
from benchmarks.real_trials import Corpus, cpu_seconds, in_words, predictions, python, side_by_side, train

NEEDS = ("films", "stills")
REGIMES: dict[str, speaker_logits.How] = {"the clip alone": "none", "minus the speaker's mean logit": "mean"}


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The tables of this part."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {path.name.lower() for path in options.stills.iterdir()}
    table = parts & {"fer2013.csv", "icml_face_data.csv"}
    fear = any((options.stills / part / "fear").is_dir() for part in ("train", "test"))
    corpus = Corpus(
        folder=folder.resolve(),
        preset="films",
        changes={
            "corpora.emotion": {"name": "csv", "root": options.films.resolve().as_posix()},
            "corpora.faces": {
                "name": "fer2013" if table or fear else "images",
                "root": options.stills.resolve().as_posix(),
            },
            "manifest.csv.table": paired(options.films, folder / "paired.csv").resolve().as_posix(),
            "manifest.emotion.split": "given",
        },
        kinds=("frames",),
    )
    faces = pretrained(corpus.data({}))
    changes = {"pretrain_video.face_checkpoint": faces.as_posix()}
    projects = [corpus.project(f"seed_{seed}", changes | {"seed": seed}) for seed in range(options.seeds)]
    side_by_side([partial(train, "pretrain_video", p, k) for p in projects for k in corpus.folds()], options.workers)
    scores = json.loads((faces / "scores.json").read_text(encoding="utf-8"))
    lines = [
        "## Faces: films of people, five folds of two speakers",
        "",
        f"Stills: accuracy {scores['test']['accuracy']:.3f}, UAR {scores['test']['uar']:.3f} of "
        f"{scores['test']['pictures']} test pictures.",
        "",
        f"| UAR of films, mean ± deviation of {options.seeds} seeds, 95 % interval over speakers | validation | test |",
        "|---|---|---|",
    ]
    for title, how in REGIMES.items():
        cells = [in_words([relative(predictions(p, split), how) for p in projects]) for split in ("val", "test")]
        lines.append(f"| preset films, {title} | {' | '.join(cells)} |")
    seconds = sum(map(cpu_seconds, projects)) / len(projects)
    return "\n".join([*lines, "", f"CPU time of a classifier over the frozen encoder, a fold: {seconds:.0f} s.", ""])


def paired(films: Path, file: Path) -> Path:
    """A copy of the corpus's one table with pairs of speakers as folds in its column split."""
    (given,) = films.glob("*.csv")
    table = pd.read_csv(given, dtype=str, keep_default_na=False)
    order = sorted(set(table["speaker"]))
    table.assign(split=[1 + order.index(name) // 2 for name in table["speaker"]]).to_csv(file, index=False)
    return file


def pretrained(project: Path) -> Path:
    """The folder of the stage pretrain_face in a project; trained once."""
    folder = project / "data/models/pretrain_face"
    if not folder.is_dir():
        python(project, "-m", "stages.features", "frames", "--role", "faces")
        python(project, "-m", "stages.pretrain_face")
    return folder


def relative(table: pd.DataFrame, how: speaker_logits.How) -> pd.DataFrame:
    """Predictions from logits relative to the speaker; those of a validation and of a test model are kept apart."""
    names = [name for name in table.columns if name.startswith("p_")]
    speakers = [f"{name} {fold}" for name, fold in zip(table["speaker"], table["fold"], strict=True)]
    logits = speaker_logits.normalised(np.log(table[names].to_numpy() + 1e-6), speakers, how)
    return table.assign(predicted=[names[i].removeprefix("p_") for i in logits.argmax(1)])
