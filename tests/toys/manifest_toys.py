"""Both corpora in small, and the stage manifest run on them."""

import sys
from pathlib import Path

import corpus_trees as trees
import pytest
import yaml
from recordings import SECTIONS

from avemotion.params.manifest import Actors, EmotionParams, FewParams
from stages import manifest

OWN = {"name": "csv", "root": "data/own"}
HEADER = "id,audio,video,emotion,valence,arousal,speaker,dialogue,start,end"


def settings(**changes: object) -> dict:
    """params.yaml as a dict; changes by dotted key with __ for the dot."""
    made = {
        "compute": dict(SECTIONS["compute"]),
        "corpora": {
            "emotion": {"name": "ravdess", "root": "data/ravdess"},
            "affect": {"name": "iemocap", "root": "data/iemocap"},
            "faces": None,
        },
        "manifest": {
            "seed": 0,
            "max_rejected": 0.1,
            "emotion": {
                "labels": "corpus",
                "target": "majority",
                "split": "actor",
                "protocol": None,
                "actors": {"val": [17, 18], "test": [21, 22]},
                "folds": 4,
                "deal": 0,
                "ratios": [0.7, 0.15, 0.15],
                "few": {"speakers": None, "clips": None, "seed": 0},
            },
            "affect": {"split": "sessions", "folds": 3, "deal": 0},
            "faces": {"held_out": 0.2},
            "ravdess": {"channels": ["speech"]},
            "cremad": {"labels": "acted", "raters": "both"},
            "iemocap": {"parts": ["impro", "script"], "wearer_side": "left"},
            "msp_podcast": {"tests": ["Test1"]},
            "csv": {"table": "clips.csv", "scale": None, "cut_video": False},
        },
        "pretrain": {"per_fold": False},
        "features": {"frames": dict(SECTIONS["features"]["frames"])},
    }
    for key, value in changes.items():
        *path, last = key.split("__")
        section = made
        for name in path:
            section = section[name]
        section[last] = value
    return made


def emotion_params(**changes: object) -> EmotionParams:
    """Section manifest.emotion; changes by name."""
    usual = {
        "labels": "corpus",
        "target": "majority",
        "split": "actor",
        "actors": Actors(val=[], test=[]),
        "folds": 3,
        "deal": 0,
        "protocol": None,
        "few": FewParams(speakers=None, clips=None, seed=0),
    }
    return EmotionParams(**usual | {"ratios": [0.7, 0.15, 0.15]} | changes)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **changes: object) -> None:
    """The stage in the current folder."""
    Path("params.yaml").write_text(yaml.safe_dump(settings(**changes)))
    monkeypatch.setattr(sys, "argv", ["manifest", *arguments])
    manifest.main()


def own(root: Path, rows: list[str], header: str = HEADER) -> None:
    """A table with a wav of its own for every row that names one."""
    root.mkdir(parents=True)
    (root / "clips.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    for i, row in enumerate(rows):
        name = row.split(",")[1]
        if name.endswith(".wav"):
            trees.wav(root / name, 1000 + i)
