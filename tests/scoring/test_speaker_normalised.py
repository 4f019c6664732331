"""Scores with logits relative to the speaker, in the metrics and in the report."""

import numpy as np
import pandas as pd
import pytest
from results_toys import CLASSES, TEST, TRUTH, detail, write
from scipy.special import softmax

from avemotion.report import emotion_section
from avemotion.scoring import results, speaker_normalised


def lean(root) -> None:
    """The fusion model leans to angry for the first test speaker and to sad for the second."""
    file = root / "data/models/fusion/predictions.csv"
    table = pd.read_csv(file).set_index("id")
    logits = np.array([np.eye(3)[CLASSES.index(name)] for name in TRUTH])
    logits[:3, 0] += 5
    logits[3:, 2] += 5
    table.loc[TEST, [f"p_{name}" for name in CLASSES]] = softmax(logits, axis=1)
    table.loc[TEST, "predicted"] = [CLASSES[k] for k in logits.argmax(1)]
    write(file, table.reset_index())


def test_a_bias_of_each_speaker_is_removed(copied, monkeypatch):
    lean(copied)
    monkeypatch.chdir(copied)
    emotion = results.read_emotion()
    of = speaker_normalised.scores(emotion, "mean", 100, 0)
    assert (emotion.fusion["label"] == emotion.fusion["predicted"]).mean() == pytest.approx(1 / 3)
    assert (of["test"]["accuracy"], of["test"]["uar_low"], of["speaker_statistics"]) == (1, 1, True)
    assert of["gain"]["uar"] == pytest.approx({"difference": 2 / 3, "low": 2 / 3, "high": 2 / 3, "p": 0.5})
    assert of["val"]["uar"] == 1  # of one clip, which keeps its prediction
    assert of["warnings"] == ["fewer than 5 clips: S3 (3), S4 (3)", "fewer than 4 emotions: S3 (3), S4 (3)"]
    page = "".join(emotion_section.relative_to_speakers(of))
    assert "Emotion relative to the speaker" in page and "speaker_statistics: true" in page
    assert "1.000 [1.000, 1.000]" in page and "Speakers with fewer than 5 clips: S3 (3), S4 (3)." in page
    assert "as in acted corpora" not in page
    scaled = speaker_normalised.scores(emotion, "mean_std", 100, 0)
    assert "as in acted corpora" in "".join(emotion_section.relative_to_speakers(scaled))


def test_the_stages_show_them(evaluated):
    of = detail(evaluated, "emotion")["speaker_normalised"]
    # Where a model is unsure in one way only, the order of classes within a speaker stays.
    assert of["test"]["uar"] == pytest.approx(5 / 6, abs=1e-6) and of["gain"]["uar"]["difference"] == 0
    assert "Emotion relative to the speaker" in (evaluated / "plots/report.html").read_text(encoding="utf-8")


def test_none_leaves_no_such_score(copied, monkeypatch):
    monkeypatch.chdir(copied)
    assert speaker_normalised.scores(results.read_emotion(), "none", 100, 0) == {}


def test_models_of_two_folds_share_no_statistics(copied, monkeypatch):
    """One speaker, tested by two models with other biases."""
    lean(copied)
    monkeypatch.chdir(copied)
    rows = results.read_emotion().fusion.assign(speaker="S3", fold=["1", "1", "1", "2", "2", "2"])
    assert speaker_normalised.table(rows, CLASSES, "mean")["predicted"].tolist() == TRUTH
    together = speaker_normalised.table(rows.assign(fold="1"), CLASSES, "mean")
    assert together["predicted"].tolist() != TRUTH
    shares = together[[f"p_{name}" for name in CLASSES]].to_numpy()
    assert shares.sum(1) == pytest.approx(np.ones(6))
