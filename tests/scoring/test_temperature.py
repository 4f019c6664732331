"""Temperature scaling against a grid, known answers and invariances."""

import json

import numpy as np
import pytest
from results_toys import detail
from scipy.special import softmax
from sklearn.metrics import log_loss

from avemotion.report import emotion_section
from avemotion.scoring import calibrated, results, temperature


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax at temperature 1 is the true distribution of the labels."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 1.5
    chances = softmax(logits, axis=1).cumsum(1)
    return logits, (rng.random((len(logits), 1)) > chances).sum(1).clip(max=3)


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(drawn, times):
    logits, truth = drawn
    assert temperature.fit(softmax(logits * times, axis=1), truth) == pytest.approx(times, rel=0.04)


def test_it_is_the_best_of_a_grid_and_nll_is_that_of_scikit_learn(drawn):
    logits, truth = drawn[0][:300], drawn[1][:300]
    shares = softmax(2 * logits, axis=1)
    best = temperature.fit(shares, truth)
    grid = [temperature.nll(shares, truth, t) for t in np.geomspace(0.2, 10, 400)]
    assert temperature.nll(shares, truth, best) <= min(grid) + 1e-9
    assert temperature.nll(shares, truth, best) == pytest.approx(log_loss(truth, softmax(2 * logits / best, axis=1)))


def test_scaling_keeps_predictions_and_needs_no_logits(drawn):
    logits = drawn[0][:100]
    scaled = temperature.scaled(softmax(logits, axis=1), np.repeat([2.0, 0.5], 50))
    np.testing.assert_allclose(scaled[:50], softmax(logits[:50] / 2, axis=1), atol=1e-9)
    np.testing.assert_allclose(scaled[50:], softmax(logits[50:] / 0.5, axis=1), atol=1e-4)  # shares of at least 5e-7
    assert (scaled.argmax(1) == logits.argmax(1)).all()


def test_bounds():
    sure = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert temperature.fit(sure, [0, 1]) == pytest.approx(temperature.LOWEST, abs=1e-3)
    assert temperature.fit(sure, [1, 0]) == pytest.approx(temperature.HIGHEST, rel=1e-3)


def test_calibration_by_hand(evaluated):
    of = detail(evaluated, "emotion")["calibration"]["fusion"]
    # Every clip has the shares .8, .1, .1. Temperature 2 takes their roots .8944, .3162, .3162: .5858 for the first.
    first = 0.8**0.5 / (0.8**0.5 + 2 * 0.1**0.5)
    expected = {"temperature": 2.0, "error": 5 / 6 - 0.8, "error_scaled": 5 / 6 - first}
    assert {name: of[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert of["nll"] == pytest.approx(-(5 * np.log(0.8) + np.log(0.1)) / 6, abs=1e-5)
    assert of["nll_scaled"] == pytest.approx(-(5 * np.log(first) + np.log((1 - first) / 2)) / 6, abs=1e-5)
    assert "0.033 as trained, 0.248 with the temperature" in emotion_section.calibration(of)


def test_each_fold_has_its_own(copied, monkeypatch):
    monkeypatch.chdir(copied)
    emotion = results.read_emotion()
    emotion.facts.folds.extend([1, 2])
    rows = emotion.fusion.assign(fold=["1"] * 3 + ["2"] * 3)
    for stage in calibrated.MODELS.values():
        for fold, fitted in ((1, 1.0), (2, 2.0)):
            (copied / f"data/models/{stage}/fold_{fold}").mkdir()
            text = json.dumps({"temperature": fitted})
            (copied / f"data/models/{stage}/fold_{fold}/model.json").write_text(text)
    folded = results.Emotion(**vars(emotion) | {"fusion": rows, "audio": rows, "video": rows})
    of = calibrated.scores(folded)["fusion"]
    assert of["temperature"] == {"fold_1": 1.0, "fold_2": 2.0}
    first = 0.8**0.5 / (0.8**0.5 + 2 * 0.1**0.5)
    assert of["nll_scaled"] == pytest.approx(-(2 * np.log(0.8) + np.log(0.1) + 3 * np.log(first)) / 6, abs=1e-5)
    assert "(1.00, 2.00)" in emotion_section.calibration(of)


def test_a_model_without_temperature_is_refused(copied, monkeypatch):
    monkeypatch.chdir(copied)
    (copied / "data/models/fusion/model.json").write_text("{}")
    with pytest.raises(ValueError, match=r"fusion/model.json: no temperature .*dvc repro"):
        calibrated.scores(results.read_emotion())
