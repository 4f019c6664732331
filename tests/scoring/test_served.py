"""Scores by gender and by speaker, by hand and against scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from results_toys import CLASSES, detail, facts
from sklearn.metrics import recall_score

from avemotion.formats import targets
from avemotion.report import served_section
from avemotion.scoring import metrics, results, served

TITLES = {"uar": "UAR", "accuracy": "accuracy"}


@pytest.fixture
def emotion(copied, monkeypatch) -> results.Emotion:
    """Three speakers: a (6 clips, all right), b (6 clips, all said to be angry), c (2 clips, all wrong)."""
    monkeypatch.chdir(copied)
    truth = [*CLASSES * 2, *CLASSES * 2, "angry", "happy"]
    predicted = [*CLASSES * 2, *["angry"] * 6, "happy", "angry"]
    rows = pd.DataFrame({"label": truth, "predicted": predicted, "speaker": [*"aaaaaabbbbbbcc"]})
    return replace(results.read_emotion(), fusion=rows.assign(gender=rows["speaker"].map({"a": "female", "b": "male"})))


def test_emotion_by_hand(emotion):
    of = served.emotion(emotion)
    assert of["speaker"]["b"] == pytest.approx({"clips": 6, "accuracy": 1 / 3, "uar": 1 / 3, "macro_f1": 1 / 6})
    assert of["gender"]["female"] == {"speakers": 1, "clips": 6, "accuracy": 1, "uar": 1, "macro_f1": 1}
    assert list(of["gender"]) == ["female", "male", "unknown"] and of["gender"]["unknown"]["uar"] == 0
    assert of["worst"]["uar"]["speaker"] == "b"  # c has too few clips to be named
    own = emotion.fusion[emotion.fusion["speaker"] == "b"]
    assert of["speaker"]["b"]["uar"] == pytest.approx(recall_score(own["label"], own["predicted"], average="macro"))


def test_the_report_names_the_worst(emotion):
    page = "".join(served_section.parts(served.emotion(emotion), TITLES, "clips"))
    assert "UAR is worst for speaker b: 0.333 over 6 clips; the median of 2 speakers is 0.667, the best 1.000." in page
    assert "1 male speakers" in page and "speaker c" not in page


def test_without_gender_or_enough_clips(emotion):
    few = replace(emotion, fusion=emotion.fusion.assign(gender=None).iloc[10:])
    of = served.emotion(few)
    assert of["gender"] == {} and of["worst"] == {"uar": {}}
    assert "No speaker has 5 clips or more" in "".join(served_section.parts(of, TITLES, "clips"))


def test_valence_and_arousal():
    rng = np.random.default_rng(0)
    turns = pd.DataFrame({"valence": rng.normal(size=40), "arousal": rng.normal(size=40)})
    turns = turns.assign(speaker=["a"] * 20 + ["b"] * 20, gender=None, dialogue=np.repeat(["1", "2", "3", "4"], 10))
    turns = turns.assign(valence_predicted=turns["valence"] + rng.normal(size=40), arousal_predicted=turns["arousal"])
    turns.loc[3, "valence"] = np.nan
    rows = results.Affect(
        facts=facts("affect"), known=turns, targets=targets.USUAL, turns=turns, validation=turns, branches=turns
    )
    of = served.affect(rows)
    own = turns[turns["speaker"] == "a"].dropna(subset=["valence"])
    assert of["speaker"]["a"]["ccc_valence"] == pytest.approx(metrics.ccc(own["valence"], own["valence_predicted"]))
    assert of["speaker"]["a"]["turns"] == 19 and of["speaker"]["b"]["ccc_arousal"] == pytest.approx(1)
    worst = min("ab", key=lambda name: of["speaker"][name]["ccc_valence"])
    assert of["worst"]["ccc_valence"]["speaker"] == worst


def test_the_stages_write_them(evaluated):
    of = {role: detail(evaluated, role)["served"] for role in ("emotion", "affect")}
    assert {name: scores["accuracy"] for name, scores in of["emotion"]["speaker"].items()} == pytest.approx(
        {"S3": 2 / 3, "S4": 1}, abs=1e-6
    )
    assert [of["affect"]["speaker"][f"S{k}"]["ccc_valence"] for k in (1, 2, 3)] == pytest.approx(
        [5 / 7, 1, 0], abs=1e-6
    )
    page = (evaluated / "plots/report.html").read_text(encoding="utf-8")
    assert page.count("Who is served") == 2
