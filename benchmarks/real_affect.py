"""Part affect of benchmarks.real: the chain of valence and arousal on real speech. A check of the plumbing, no result.

No corpus of people with ratings of valence and arousal is at hand. So each clip of RAVDESS gets the place of its acted
emotion on the circumplex (Russell 1980, A circumplex model of affect, table of directions), at radius 0.6 for normal
and 1 for strong intensity. Such labels hold nothing that the categories do not. What can be seen: the model beats the
constant mean (CCC 0) and the baseline of the same folds, in which no speaker is both trained and tested.
"""

import argparse
import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from avemotion.corpora import ravdess
from avemotion.sweep import recipes

NEEDS = ("ravdess",)
ROOT = Path(__file__).resolve().parents[1]
# Degrees from pleasure counterclockwise: Russell's happy, angry, afraid, sad, calm and astonished; his list has no
# disgust, frustrated stands for it. Neutral is the centre.
DIRECTION = {"happy": 7.8, "surprised": 69.8, "angry": 99.0, "fearful": 116.4, "disgust": 141.0, "sad": 207.5}
DIRECTION |= {"calm": 316.2}
RADIUS = {"normal": 0.6, "strong": 1.0}
FOLDS = 6  # of four speakers
STAGES = (
    ["manifest"],
    *(["features", kind, "--role", "affect"] for kind in ("wavlm", "mel", "prosody", "speaker")),
    *(["features", kind, "--role", "emotion"] for kind in ("wavlm", "mel", "frames", "prosody")),
    ["pretrain_audio"], ["pretrain_video"], ["fusion"],  # without a corpus they leave a reason
    ["baseline", "--role", "affect"],
    ["va"],
    ["evaluate", "affect"],
)  # fmt: skip


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The table of this part; a second call computes what is missing."""
    prepare(options.ravdess.resolve(), folder)
    for command in STAGES:
        mark = folder / "done" / "_".join(command)
        if not mark.exists():
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, "-m", f"stages.{command[0]}", *command[1:]], cwd=folder, env=environment,
                           check=True)  # fmt: skip
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
    return table(json.loads((folder / "metrics/detail/affect.json").read_text(encoding="utf-8")))


def prepare(root: Path, folder: Path) -> None:
    """params.yaml and a csv corpus: the recordings as links, and a table with the places on the circumplex."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    (folder / "data/none").mkdir(parents=True, exist_ok=True)
    (folder / "data/Noise").mkdir(parents=True, exist_ok=True)
    if not (corpus / "ravdess").exists():
        (corpus / "ravdess").symlink_to(root)
    found, _ = ravdess.list_clips(root, ravdess.Params(channels=["speech"]))
    with (corpus / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "audio", "speaker", "gender", "emotion", "valence", "arousal"])
        for clip in found:
            table.writerow(
                [
                    clip.id,
                    f"ravdess/{clip.audio}",
                    clip.speaker,
                    clip.gender,
                    clip.emotion,
                    *place(clip.emotion, clip.id),
                ]
            )
    content = recipes.load(ROOT / "params.yaml")
    for name in ("affect_only", "v4"):
        recipes.apply(content, recipes.recipe(name))
    for key, value in changes().items():
        *path, last = key.split(".")
        section: Any = content
        for part in path:
            section = section[part]
        section[last] = value
    recipes.write(folder / "params.yaml", content)


def changes() -> dict[str, Any]:
    """What differs from the preset v4: its WavLM and ECAPA need a download, and its turns form dialogues.

    An untrained WavLM is not worth fine-tuning, and half the epochs show what there is to see.
    """
    return {
        "corpora.affect": {"name": "csv", "root": "corpus"},
        "manifest.csv.scale": [-1.0, 1.0],
        "manifest.affect.split": "speakers",
        "manifest.affect.folds": FOLDS,
        "speech.model": "tiny",
        "features.speaker.model": "statistics",
        "va.state.kind": "none",
        "va.batch_size": 32,
        "va.finetune_layers": 0,
        "va.epochs": 20,
    }


def place(emotion: str, clip: str) -> tuple[float, float]:
    """Valence and arousal in [-1, 1] of an acted emotion; the third part of a clip's id is its intensity."""
    if emotion == "neutral":
        return 0.0, 0.0
    radius = RADIUS["strong" if clip.split("-")[2] == "02" else "normal"]
    angle = math.radians(DIRECTION[emotion])
    return round(radius * math.cos(angle), 4), round(radius * math.sin(angle), 4)


def table(scores: dict[str, Any]) -> str:
    """The scores of va and of the baseline as Markdown."""
    lines = [
        "## Valence and arousal: a check of the plumbing",
        "",
        "| CCC, test folds | valence | arousal |",
        "|---|---|---|",
    ]
    cells = [
        f"{scores[f'ccc_{name}']:.3f} [{scores[f'ccc_{name}_low']:.3f}, {scores[f'ccc_{name}_high']:.3f}]"
        for name in ("valence", "arousal")
    ]
    lines.append(f"| va (preset v4 over an untrained WavLM) | {cells[0]} | {cells[1]} |")
    base = scores["baseline"]
    lines.append(f"| baseline on eGeMAPS | {base['ccc_valence']:.3f} | {base['ccc_arousal']:.3f} |")
    gain = [base["gain"][f"ccc_{name}"] for name in ("valence", "arousal")]
    lines.append(
        "| gain | "
        + " | ".join(f"{g['difference']:+.3f} [{g['low']:+.3f}, {g['high']:+.3f}], p {g['p']:.3f}" for g in gain)
        + " |"
    )
    lines.append("| the mean | 0 | 0 |")
    return "\n".join(lines) + "\n"
