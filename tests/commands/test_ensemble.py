"""Ensembles of saved predictions of a small DVC project, against hand arithmetic and scikit-learn."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_toys import CLASSES, TRUTH
from sklearn.metrics import recall_score

from avemotion.comparison import ensembles, paired, revisions
from avemotion.scoring import metrics
from commands import ensemble

SHARES = [f"p_{name}" for name in CLASSES]


@pytest.fixture
def here(experiments, monkeypatch) -> Path:
    monkeypatch.chdir(experiments)
    return experiments


def call(monkeypatch, capsys, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["ensemble", *arguments, "--draws", "300"])
    ensemble.main()
    return capsys.readouterr().out


def member(root: Path, name: str, shares: list[list[float]], shift: float = 0.0) -> paired.Judged:
    """The fusion model of results_toys with other probabilities, and valence moved."""
    judged = paired.read(root, name, "fusion", affect=True, on="test")
    emotion = judged.emotion.assign(**dict(zip(SHARES, np.array(shares).T, strict=True)))
    return replace(
        judged, emotion=emotion, affect=judged.affect.assign(valence_predicted=judged.affect["valence"] + shift)
    )


def test_the_mean_by_hand(results):
    """Each member is right where the other is wrong, and surer of it."""
    sure, wrong = 0.8 * np.eye(3)[[0, 1, 2] * 2] + 0.05, 0.5 * np.eye(3)[[1, 2, 0] * 2] + 0.1
    first = member(results, "a", np.vstack([sure[:3], wrong[3:]]).tolist(), 1.0)
    second = member(results, "b", np.vstack([wrong[:3], sure[3:]]).tolist(), -1.0)
    both = ensembles.mean([first, second], [0.5, 0.5])
    assert both.emotion["predicted"].tolist() == TRUTH and both.headlines()["uar"] == 1
    assert both.emotion.loc[0, SHARES].tolist() == pytest.approx([0.475, 0.325, 0.075])
    assert both.headlines()["ccc_valence"] == pytest.approx(1)  # one too high and one too low
    mostly = ensembles.mean([first, second], [0.9, 0.1])
    assert metrics.accuracy(*(pd.Categorical(mostly.emotion[c], CLASSES).codes for c in ("label", "predicted"))) == 0.5


def test_seeds_and_the_baseline(here, monkeypatch, capsys, tmp_path):
    found = json.loads(call(monkeypatch, capsys, "main", "better", "--on", "test", "--with-baseline", "0.2", "--json"))
    weights = {name: of["weight"] for name, of in found["members"].items()}
    assert weights == pytest.approx({"main": 0.4, "better": 0.4, "baseline of main": 0.2, "mean of 3": None})
    tables = {}
    for name in ("main", "better"):
        root = revisions.fetch(name, tmp_path / name, ["fusion"])
        tables[name] = paired.read(root, name, "fusion", affect=False, on="test").emotion
    base = pd.read_csv(here / "data/models/baseline/emotion/predictions.csv").query("split == 'test'")
    base = base.sort_values("id")
    mean = 0.4 * tables["main"][SHARES] + 0.4 * tables["better"][SHARES] + 0.2 * base[SHARES].to_numpy()
    predicted = [CLASSES[k] for k in mean.to_numpy().argmax(1)]
    expected = recall_score(tables["main"]["label"], predicted, average="macro")
    scores = {name: of["scores"]["uar"]["value"] for name, of in found["members"].items()}
    assert scores["mean of 3"] == pytest.approx(expected, abs=1e-6)
    gain = found["members"]["main"]["gain"]["uar"]
    assert gain["difference"] == pytest.approx(expected - scores["main"], abs=1e-6)
    assert gain["low"] <= gain["difference"] <= gain["high"]
    over = found["gain_over_mean_of_members"]["uar"]  # of the two models, without the baseline
    assert over["first"] == pytest.approx((scores["main"] + scores["better"]) / 2, abs=1e-6)
    assert (found["clips"], found["turns"], found["on"]) == (200, 180, "test")


def test_models_of_the_workspace_on_validation_clips(here, monkeypatch, capsys, tmp_path):
    out = tmp_path / "table.csv"
    text = call(monkeypatch, capsys, "workspace", "--model", "fusion", "pretrain_audio", "--out", str(out))
    assert "Over 100 validation clips. " in text and "For choosing" in text and "CCC" not in text
    table = pd.read_csv(out)
    assert set(table["model"]) == {"fusion of workspace", "pretrain_audio of workspace", "mean of 2"}
    assert set(table["on"]) == {"val"} and table[table["model"] == "mean of 2"]["gain"].isna().all()
    for row in table[table["metric"] == "uar"].itertuples():
        assert f"{row.score:.3f}  [{row.low:.3f}, {row.high:.3f}]" in text


def test_folders_and_speakers(here, monkeypatch, capsys, tmp_path):
    shutil.copytree(here / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data/models/va")
    arguments = ["--folders", str(here), str(tmp_path), "--speaker-logits", "mean", "--json"]
    found = json.loads(call(monkeypatch, capsys, *arguments, "--weights", "3", "1"))
    assert [of["weight"] for of in found["members"].values()] == [0.75, 0.25, None]
    same = [of["scores"]["uar"] for of in found["members"].values()]
    assert same[0] == same[1] == same[2] and found["turns"] == 0  # one of the two has no valence and arousal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give revisions or --folders"),
        (["main"], "an ensemble has two members or more"),
        (["main", "main"], "run main is named twice"),
        (["main", "better", "--weights", "1"], "give 2 numbers above 0"),
        (["main", "better", "--with-baseline", "1"], "--with-baseline is 1.0; give a share between 0 and 1"),
        (["main", "relabelled"], "label of v000 is angry in one and happy in the other"),
        (["main", "better", "--out", "table.md"], "--out is table.md; name a file that ends in .csv"),
    ],
)
def test_a_mistake_is_named(here, monkeypatch, capsys, arguments, message):
    with pytest.raises(ValueError, match=message):
        call(monkeypatch, capsys, *arguments)
