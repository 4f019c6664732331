"""Six clips, and the models that the stages themselves train on them for two epochs."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from project_params import params_with
from recordings import film, join, voice, write_manifest

from avemotion.formats import labels
from avemotion.formats.labels import CorpusFacts
from stages import features, fusion, va

CLASSES = ["angry", "happy"]
KINDS = ("wavlm", "frames", "prosody", "speaker")
SPLITS = {"a1": "train", "a2": "train", "b1": "train", "b2": "val", "c1": "test", "c2": "test"}
DIALOGUES = {"a1": 1, "a2": 1, "b1": 2, "b2": 2, "c1": 3, "c2": 3}  # one a fold, and of one speaker
CHANGES = {
    **{f"corpora.{role}": {"name": "csv", "root": "corpus"} for role in ("emotion", "affect")},
    "compute": {
        "device": "cpu",
        "threads": 1,
        "workers": 1,
        "loader_workers": 0,
        "engine": "local",
        "address": None,
        "tensorboard": False,
    },
    "views.emotion": [10, 0],
    "augment.audio.views": {"clean": 1},
    "features.prosody.set": "free",
    "features.frames.count": 3,
    "features.frames.size": 32,
    "features.frames.face": False,
    "fusion.warm_start": [],
    "fusion.head_epochs": 0,
    "fusion.epochs": 2,
    "va.epochs": 2,
}
# Models of folds differ the more.
PER_FOLD = {"va.finetune_layers": 1, "fusion.lr": 1.0e-2, "fusion.audio_lr": 1.0e-3}


def main(stage: ModuleType, *arguments: str) -> None:
    """A stage or command in the current folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [stage.__name__, *arguments])
        stage.main()


def facts(role: str, folds: list[int]) -> CorpusFacts:
    scale = {name: [1, 5] for name in ("valence", "arousal", "dominance")}
    return CorpusFacts(
        corpus="made-up", role=role, synthetic=True, classes=CLASSES, scale=scale, split="given", speaker_overlap=False,
        clips=6, speakers=3, rejected=0, folds=folds,
    )  # fmt: skip


def build(root: Path) -> Path:
    """Features, fusion and VA models of three folds; films with sound as <clip>.mov."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params_with(root, CHANGES)
        Path("corpus").mkdir()
        films = {clip: film(Path(f"corpus/{clip}.mp4"), seed) for seed, clip in enumerate(SPLITS)}
        write_manifest({clip: voice(0.9 + 0.1 * i, 100 + 30 * i, i) for i, clip in enumerate(SPLITS)}, films)
        for clip in SPLITS:
            join(films[clip], Path(f"corpus/{clip}.wav"), Path(f"{clip}.mov"))
        labels.write("emotion", [row | {"split": SPLITS[row["id"]]} for row in turns()], facts("emotion", []))
        labels.write("affect", turns(), facts("affect", [1, 2, 3]))
        for stage, kinds in ((features, KINDS), (fusion, ()), (va, ())):
            main(stage, *kinds)
    return root


def build_per_fold(trained: Path, root: Path) -> Path:
    """A copy with one corpus in both roles, and a fusion model for each fold."""
    shutil.copytree(trained, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params_with(root, CHANGES | PER_FOLD)
        labels.write("emotion", turns(), replace(facts("emotion", [1, 2, 3]), split=labels.PER_FOLD))
        main(fusion)
        main(va)
    return root


def turns() -> list[dict[str, Any]]:
    """Rows of labels.csv of the six clips; the split is the fold."""
    return [
        {"id": clip, "label": CLASSES[i % 2], "emotion": CLASSES[i % 2], "speaker": f"S{DIALOGUES[clip]}"}
        | {"dialogue": f"d{DIALOGUES[clip]}", "turn": i, "valence": 1 + i % 4, "arousal": 5 - i % 3}
        | {"split": str(DIALOGUES[clip])}
        for i, clip in enumerate(SPLITS)
    ]


def rows(file: str) -> pd.DataFrame:
    """A table below data/models, by clip."""
    return pd.read_csv(f"data/models/{file}").set_index("id")


def calibrated(shares: Sequence[float]) -> list[float]:
    """Probabilities of predictions.csv at the temperature of the fusion model, as `predict` gives them."""
    power = 1 / json.loads(Path("data/models/fusion/model.json").read_text())["temperature"]
    powers = [share**power for share in shares]
    return [value / sum(powers) for value in powers]


def rewrite(file: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file in place."""
    config = json.loads(Path(file).read_text())
    change(config)
    Path(file).write_text(json.dumps(config))
