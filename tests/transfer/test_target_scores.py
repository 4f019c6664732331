"""Scores on another corpus over the shared classes, by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from avemotion.transfer import target_scores
from avemotion.transfer.run_models import RunModel
from avemotion.transfer.target_predictions import NotScoredError, Predicted, shared_classes, table

CLASSES = ["angry", "happy", "sad"]
# True class, probabilities of angry, happy, sad. The target has no happy clip.
ROWS = [
    ("angry", [0.5, 0.3, 0.2]),  # right
    ("angry", [0.3, 0.6, 0.1]),  # right among angry and sad, wrong among all
    ("angry", [0.1, 0.2, 0.7]),  # wrong
    ("sad", [0.2, 0.5, 0.3]),  # right among angry and sad, wrong among all
    ("sad", [0.1, 0.1, 0.8]),  # right
]


MODEL = RunModel(
    stage="fusion",
    role="emotion",
    synthetic=False,
    classes=CLASSES,
    audio=None,
    video=True,
    by_speaker=[],
    settings={},
    members=[nn.Identity()],
    temperatures=[1.0],
    forward=lambda model, batch: batch.video,
)


def predicted(speakers: list[str]) -> Predicted:
    clips = pd.DataFrame({"id": list("abcde"), "speaker": speakers, "label": [label for label, _ in ROWS]})
    shares, shared = np.array([of for _, of in ROWS]), ["angry", "sad"]
    return Predicted(
        model=MODEL,
        shared=shared,
        table=table(clips, shares, CLASSES, shared),
        other_classes={"calm": 2},
        without_input=0,
    )


def test_a_class_that_the_target_lacks_cannot_be_predicted():
    of = predicted(["x", "x", "x", "y", "y"])
    assert of.table["predicted"].tolist() == ["angry", "angry", "sad", "sad", "sad"]
    assert of.table["predicted_of_all"].tolist() == ["angry", "happy", "sad", "happy", "sad"]
    scores = target_scores.scores(of, draws=100, seed=0)
    assert scores["uar"] == pytest.approx((2 / 3 + 2 / 2) / 2) and scores["accuracy"] == pytest.approx(4 / 5)
    # F1 of angry: 2 TP, 1 FN; of sad: 2 TP, 1 FP.
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 4 / 5) / 2)
    assert scores["all_classes"]["uar"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores["all_classes"]["accuracy"] == pytest.approx(2 / 5)
    assert scores["chance"] == 0.5 and scores["classes"] == 2 and scores["clips"] == 5 and scores["speakers"] == 2
    detail = target_scores.detail(of)
    assert detail["recall"] == {"angry": pytest.approx(2 / 3), "sad": 1.0}
    assert detail["clips_of_other_classes"] == {"calm": 2}


def test_logits_relative_to_the_speaker():
    """Each speaker's mean log-odds of angry over sad is subtracted, which takes a bias towards a class away."""
    of = predicted(["x", "x", "x", "y", "y"])
    odds = np.array([math.log(row[0] / row[2]) for _, row in ROWS])
    own = odds - np.array([odds[:3].mean()] * 3 + [odds[3:].mean()] * 2)
    by_hand = ["angry" if value > 0 else "sad" for value in own]
    accuracy = np.mean([guess == label for guess, (label, _) in zip(by_hand, ROWS, strict=True)])
    assert by_hand[3] == "angry" != of.table["predicted"][3]
    relative = target_scores.normalised(of, "mean")["speaker_normalised"]
    assert relative["accuracy"] == pytest.approx(accuracy) and relative["speaker_statistics"] is True
    assert "fewer than 5 clips: x (3), y (2)" in relative["warnings"][0]
    assert target_scores.normalised(of, "none") == {}


def test_intervals_resample_speakers_or_clips_of_nobody():
    assert target_scores.detail(predicted(["x", "x", "x", "y", "y"]))["resampled"] == "speakers"
    alone = predicted(list("abcde"))
    assert target_scores.detail(alone)["resampled"] == "clips"
    # Accuracy of five clips of which four are right: 0.2 to 1 in steps of a fifth.
    scores = target_scores.scores(alone, draws=2000, seed=0)
    steps = {round(scores[f"accuracy_{side}"] * 5, 6) for side in ("low", "high")}
    assert steps == {2.0, 5.0}  # binomial: P(at most 1 of 5) = 0.007, P(at most 2) = 0.058


def test_probabilities_are_the_mean_over_folds_each_at_its_temperature():
    logits = [torch.tensor([[0.0, 2.0, 0.0]]), torch.tensor([[3.0, 0.0, 0.0]])]
    members = [nn.ParameterList([nn.Parameter(of)]) for of in logits]
    model = replace(MODEL, members=members, temperatures=[2.0, 1.0], forward=lambda member, batch: member[0])
    e, e3 = math.exp(1), math.exp(3)
    first, second = np.array([1, e, 1]) / (2 + e), np.array([e3, 1, 1]) / (2 + e3)
    assert model.probabilities([None])[0].tolist() == pytest.approx((first + second) / 2, abs=1e-6)


def test_two_shared_classes_are_needed():
    assert shared_classes(MODEL, pd.Series(["sad", None, "angry", "calm"])) == ["angry", "sad"]
    with pytest.raises(NotScoredError, match=r"angry, happy, sad; those of the clips are calm, sad; 1 in common"):
        shared_classes(MODEL, pd.Series(["sad", None, "calm"]))
