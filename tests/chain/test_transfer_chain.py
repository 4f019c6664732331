"""A run on the IEMOCAP of the sample, scored on its RAVDESS by DVC: a mapping of labels, metrics and plots."""

import json
from pathlib import Path

import pandas as pd
import pytest
from chain import TINY, session

from benchmarks import small_project

pytestmark = pytest.mark.slow
CLASSES = ["angry", "happy", "neutral", "sad"]
CHANGES = TINY | {
    "corpora.emotion": {"name": "iemocap", "root": "data/sample/iemocap"},
    "corpora.affect": {"name": None, "root": "data/none"},
    "corpora.transfer": {
        "acted": {
            "name": "ravdess",
            "root": "data/sample/ravdess",
            "labels": {"angry": ["angry"], "happy": ["happy"], "neutral": ["neutral", "calm"], "sad": ["sad"]},
            "options": {"channels": ["speech"]},
        }
    },
    "manifest.emotion.labels": "iemocap4",
    "manifest.emotion.actors": {"val": ["Ses04F", "Ses04M"], "test": ["Ses05F", "Ses05M"]},
    "sample.iemocap.turns": 6,
    "views.emotion": [],
    "augment.audio.views": {"clean": 1},
}


def ran(log: str) -> list[str]:
    return [line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="module")
def crossed(tmp_path_factory) -> tuple[Path, str]:
    """The project after `dvc repro transfer@acted`, and what was printed."""
    folder = small_project.clone(tmp_path_factory.mktemp("transfer") / "clone", CHANGES)
    return folder, session(folder, "dvc repro transfer@acted", "dvc metrics show", "dvc plots show -o shown")


def test_it_trains_what_it_scores_and_no_more(crossed):
    folder, log = crossed
    stages = ran(log)
    assert stages[-1] == "transfer@acted" and {"pretrain_audio", "pretrain_video", "fusion"} <= set(stages)
    assert not {"evaluate@emotion", "baseline@emotion", "report"} & set(stages)
    assert ran(session(folder, "dvc repro transfer@acted")) == []


def test_scores_are_those_of_the_predictions(crossed):
    folder, log = crossed
    scores = json.loads((folder / "metrics/transfer/acted.json").read_text(encoding="utf-8"))
    assert set(scores) == {"fusion", "pretrain_audio", "pretrain_video", "clips", "speakers", "synthetic", "seed"}
    detail = json.loads((folder / "data/transfer/acted/scores.json").read_text(encoding="utf-8"))
    assert detail["fusion"]["models_averaged"] == 1 and detail["fusion"]["resampled"] == "speakers"
    for stage in ("fusion", "pretrain_audio", "pretrain_video"):
        table = pd.read_csv(folder / f"data/transfer/acted/{stage}/predictions.csv")
        recalls = [(of["predicted"] == name).mean() for name, of in table.groupby("label")]
        assert sorted(table["label"].unique()) == CLASSES
        assert scores[stage]["uar"] == pytest.approx(sum(recalls) / 4, abs=1e-6)
        assert table["predicted"].tolist() == table["predicted_of_all"].tolist()  # every class is shared
    labels = pd.read_csv(folder / "data/transfer/acted/manifest/labels.csv")
    assert set(labels["emotion"]) == {"angry", "happy", "neutral", "calm", "sad"} and set(labels["label"]) == set(
        CLASSES
    )
    assert "metrics/transfer/acted.json" in log and "fusion.uar" in log


def test_dvc_draws_the_confusion_of_each_model(crossed):
    folder, _ = crossed
    page = (folder / "shown/index.html").read_text(encoding="utf-8")
    for stage in ("fusion", "pretrain_audio", "pretrain_video"):
        assert (
            f"plots/transfer/acted/{stage}.csv" in page or f"plots/transfer/acted::plots/transfer/acted/{stage}" in page
        )
    assert "Emotions of acted, by the models of this run" in page
