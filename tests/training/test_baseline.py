"""The baseline: statistics by speaker against scipy, choice on validation, both roles, and real speech."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_params import REPO, params_with
from results_toys import facts
from scipy.stats import zscore
from sklearn.svm import SVC

from avemotion.formats import feature_store, labels
from avemotion.training import speaker_statistics
from avemotion.training.baseline import estimators, functionals
from stages import baseline

CORPORA = Path(os.environ.get("AVEMOTION_CORPORA", REPO.parent / "shared/corpora"))


def test_statistics_of_a_speaker_are_zscores():
    rng = np.random.default_rng(0)
    rows, speakers = rng.normal(5, 3, (30, 4)), np.array(list("abc") * 10)
    rows[:, 3] = 7.0  # constant: 0, not NaN
    rows[2] = np.nan  # a clip without sound, of speaker c
    result = speaker_statistics.standardized(rows, speakers)
    for speaker in "ab":
        expected = zscore(rows[speakers == speaker][:, :3])
        np.testing.assert_allclose(result[speakers == speaker][:, :3], expected)
    np.testing.assert_allclose(result[speakers == "c"][1:, :3], zscore(rows[speakers == "c"][1:, :3]))
    assert np.isnan(result[2]).all() and (np.delete(result, 2, 0)[:, 3] == 0).all()
    # A speaker's rows do not depend on any other speaker's.
    alone = speaker_statistics.standardized(rows[speakers == "a"], list("a") * 10)
    np.testing.assert_array_equal(alone, result[speakers == "a"])


def test_validation_chooses_and_the_first_of_equals_wins():
    rng = np.random.default_rng(1)
    rows, targets = rng.normal(size=(60, 2)), np.arange(60) % 2
    scores = iter([0.3, 0.7, 0.7, float("nan")])
    candidates = [("linear_svm", 0.1), ("linear_svm", 1.0), ("rbf_svm", 1.0), ("logistic", 1.0)]
    chosen = estimators.choose(estimators.CLASSIFIERS, candidates, (rows, targets), lambda _: next(scores))
    assert (chosen.name, chosen.c, chosen.score) == ("linear_svm", 1.0, 0.7)


@pytest.mark.parametrize("name", list(estimators.CLASSIFIERS))
@pytest.mark.parametrize("classes", [2, 4])
def test_the_largest_share_is_the_prediction(name, classes):
    rng = np.random.default_rng(2)
    rows, targets = rng.normal(size=(80, 3)), rng.integers(0, classes, 80)
    chosen = estimators.choose(estimators.CLASSIFIERS, [(name, 1.0)], (rows, targets), lambda _: 0.0)
    shares = estimators.shares(chosen.model, rows, classes + 1)  # one class without training rows
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (shares[:, classes] == 0).all()
    np.testing.assert_array_equal(shares.argmax(1), chosen.model.predict(rows))


FEW = {"models": ["linear_svm", "logistic"], "c": [0.1, 1.0]}


def corpus(offset: float) -> None:
    """Six speakers with two emotions that shift two functionals, and a voice (offset) that shifts them more."""
    rng, clips, rows = np.random.default_rng(3), {}, []
    for speaker in range(6):
        voice = offset * rng.normal(size=2)
        for i in range(20):
            clip, label = f"s{speaker}-{i:02}", i % 2
            values = voice + [2.0 * label - 1, 1 - 2.0 * label] + 0.3 * rng.normal(size=2)
            clips[clip] = values
            split = "test" if speaker == 5 else "val" if speaker == 4 else "train"
            row = {"id": clip, "speaker": f"S{speaker}", "label": "happy" if label else "angry", "split": split}
            rows.append(row | {"valence": 3 + values[0], "arousal": 3 - 2 * values[1], "fold": str(speaker % 3 + 1)})
    clips["s0-00"] = clips["s5-00"] = None  # without sound
    views = (
        (clip, None if v is None else {"clean": {"functionals": v[None].astype("f4")}}) for clip, v in clips.items()
    )
    feature_store.write(functionals.FEATURES / "emotion", ["clean"], views, {})
    views = (
        (clip, None if v is None else {"clean": {"functionals": v[None].astype("f4")}}) for clip, v in clips.items()
    )
    feature_store.write(functionals.FEATURES / "affect", ["clean"], views, {})
    labels.write("emotion", rows, facts("emotion", classes=["angry", "happy", "sad"]))
    labels.write("affect", [row | {"split": row["fold"]} for row in rows], facts("affect", folds=[1, 2, 3]))


def run(folder: Path, monkeypatch, **changes) -> None:
    values = {f"baseline.{key}": value for key, value in changes.items()} | {"compute.workers": 1}
    file = params_with(folder, values)
    monkeypatch.setattr(sys, "argv", ["baseline", "--params", str(file)])
    baseline.main()


def emotions() -> pd.DataFrame:
    return pd.read_csv("data/models/baseline/emotion/predictions.csv")


def test_emotion_and_statistics_of_each_speaker(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus(offset=30)
    found = {}
    for normalise in ("corpus", "speaker"):
        run(tmp_path, monkeypatch, normalise=normalise, emotion=FEW)
        rows = emotions()
        assert rows.groupby("split").size().to_dict() == {"test": 20, "val": 20} and rows.id.is_monotonic_increasing
        heard = rows[(rows.split == "test") & (rows.id != "s5-00")]
        found[normalise] = (heard.label == heard.predicted).mean()
        model = json.loads(Path("data/models/baseline/emotion/model.json").read_text())
        assert (model["speaker_statistics"], model["silent"]) == (normalise == "speaker", 2)
    assert found["speaker"] == 1 and found["corpus"] < 0.8
    first = Path("data/models/baseline/emotion/predictions.csv").read_bytes()
    run(tmp_path, monkeypatch, normalise="speaker", emotion=FEW)
    assert Path("data/models/baseline/emotion/predictions.csv").read_bytes() == first


def test_valence_and_arousal_of_every_fold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus(offset=1)
    run(tmp_path, monkeypatch)
    for fold in (1, 2, 3):
        rows = pd.read_csv(f"data/models/baseline/affect/fold_{fold}/predictions.csv").set_index("id")
        known = labels.read("affect").set_index("id").split
        assert set(rows.index[rows.split == "test"]) == set(known.index[known == str(fold)])
        assert set(rows.index[rows.split == "val"]) == set(known.index[known == str(fold % 3 + 1)])
        silent = rows.index.isin(["s0-00", "s5-00"])
        assert rows.valence_predicted.isna().tolist() == silent.tolist()
        error = (rows.valence - rows.valence_predicted)[~silent]
        assert (
            error.abs().max() < 0.2 and error.std() < 0.05 * rows.valence.std()
        )  # valence is a linear function of the functionals
        chosen = json.loads(Path(f"data/models/baseline/affect/fold_{fold}/model.json").read_text())["chosen"]
        assert list(chosen) == ["valence", "arousal"] and chosen["arousal"]["validation"] > 0.99


def test_what_cannot_be_fitted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus(offset=1)
    table = labels.read("emotion")
    labels.write("emotion", table.assign(label="happy").to_dict("records"), facts("emotion", classes=["happy", "sad"]))
    with pytest.raises(ValueError, match="training clips with sound have fewer than two emotions"):
        run(tmp_path, monkeypatch)
    feature_store.write(functionals.FEATURES / "emotion", ["clean"], [(clip, None) for clip in table.id], {})
    feature_store.write(functionals.FEATURES / "affect", ["clean"], [(clip, None) for clip in table.id], {})
    run(tmp_path, monkeypatch)
    assert "no clip of corpora.emotion has sound" in Path("data/models/baseline/emotion/README.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emotion": {"models": [], "c": [1.0]}}, r"baseline\.emotion\.models is \[\]; give one or more, each once"),
        (
            {"emotion": {"models": ["logistic"], "c": [1.0, 1.0]}},
            r"baseline\.emotion\.c is \[1\.0, 1\.0\]; give one or",
        ),
        ({"affect": {"models": ["ridge"], "c": [0.0]}}, r"baseline\.affect\.c is \[0\.0\]; give numbers above 0"),
        ({"affect": {"models": ["svm"], "c": [1.0]}}, "'svm'; choose one of linear_svr, rbf_svr, ridge"),
        ({"normalise": "clip"}, "baseline.normalise is 'clip'; choose one of corpus, speaker"),
    ],
)
def test_mistakes_in_the_params(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        baseline.configure(params_with(tmp_path, {f"baseline.{key}": value for key, value in changes.items()}))


def test_an_svm_is_that_of_scikit_learn():
    rng = np.random.default_rng(4)
    rows = rng.normal(3, 2, (90, 5))
    targets = (rows[:, 0] > 3).astype(int) + (rows[:, 1] > 3)
    chosen = estimators.choose(estimators.CLASSIFIERS, [("rbf_svm", 0.5)], (rows, targets), lambda _: 0.0)
    z = zscore(rows)
    by_hand = SVC(C=0.5, class_weight="balanced", gamma=1 / (5 * z.var()), break_ties=True).fit(z, targets)
    np.testing.assert_array_equal(chosen.model.predict(rows), by_hand.predict(z))


@pytest.mark.slow
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"{CORPORA}: no recordings of people here")
def test_on_real_speech_it_reaches_what_was_measured_elsewhere(tmp_path):
    """RAVDESS in the folds luna_jimenez, no validation fold taken out; UAR over all clips."""
    from benchmarks import baseline_real

    subprocess.run([sys.executable, str(CORPORA / "unpack.py"), str(tmp_path), "ravdess"], check=True)
    found = baseline_real.measure(tmp_path / "ravdess", tmp_path / "project")
    assert found["corpus", "linear_svm", 0.1] == pytest.approx(0.499, abs=0.01)
    assert found["speaker", "linear_svm", 0.1] == pytest.approx(0.600, abs=0.01)
    assert found["speaker", "rbf_svm", 1.0] == pytest.approx(0.620, abs=0.01)
    # An independent trial had .482 here and agrees in the other three; what differs was not found.
    assert found["corpus", "rbf_svm", 1.0] == pytest.approx(0.464, abs=0.01)
