"""compare on a small DVC project: two revisions read from the cache, judged on the same clips."""

import json
from pathlib import Path

import pandas as pd
import pytest
from toy_project import run

from avemotion.scoring import metrics
from commands import compare


@pytest.fixture
def here(experiments, monkeypatch) -> Path:
    monkeypatch.chdir(experiments)
    return experiments


def call(monkeypatch, capsys, *arguments: str) -> str:
    on = [] if "--on" in arguments else ["--on", "test"]
    monkeypatch.setattr("sys.argv", ["compare", *arguments, *on, "--draws", "1000"])
    compare.main()
    return capsys.readouterr().out


def test_a_better_experiment(here, monkeypatch, capsys):
    found = json.loads(call(monkeypatch, capsys, "main", "better", "--json"))
    accuracy = found["headlines"]["accuracy"]
    table = pd.read_csv(here / "data/models/fusion/predictions.csv")  # the workspace is as main left it
    table = table[table["split"] == "test"]
    assert accuracy["first"] == pytest.approx(
        metrics.accuracy(*(pd.factorize(table[c], sort=True)[0] for c in ("label", "predicted")))
    )
    assert (
        accuracy["difference"] == pytest.approx(accuracy["second"] - accuracy["first"], abs=1e-6)
        and accuracy["difference"] > 0.1
    )
    assert 0 < accuracy["low"] < accuracy["difference"] < accuracy["high"] and accuracy["p"] < 0.01
    assert found["headlines"]["ccc_valence"]["p"] > 0.05
    assert (found["clips"], found["turns"], accuracy["clusters"]) == (200, 180, 20)
    assert found["sentence"].startswith(
        "Over 200 test clips of 20 speakers and 180 test turns of 30 dialogues, better is "
    )
    assert "better than main in accuracy" in found["sentence"] and "Synthetic" in found["sentence"]


def test_without_on_the_clips_are_those_of_validation(here, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare", "main", "better", "--json", "--draws", "100"])
    compare.main()
    found = json.loads(capsys.readouterr().out)
    rows = pd.read_csv(here / "data/models/fusion/predictions.csv").query("split == 'val'")
    assert found["on"] == "val" and (found["clips"], found["turns"]) == (100, 180)
    assert found["headlines"]["accuracy"]["first"] == pytest.approx((rows.label == rows.predicted).mean(), abs=1e-6)
    assert found["sentence"].startswith("Over 100 validation clips of 10 speakers and 180 validation turns of 30 dial")


def test_direction_and_mirror(here, monkeypatch, capsys):
    there = json.loads(call(monkeypatch, capsys, "main", "noisy", "--json"))
    back = json.loads(call(monkeypatch, capsys, "noisy", "workspace", "--json"))  # workspace is main
    for name in ("ccc_valence", "ccc_arousal"):
        a, b = there["headlines"][name], back["headlines"][name]
        assert a["difference"] < -0.2 and a["p"] < 0.01
        assert (a["low"], a["high"], a["p"]) == pytest.approx((-b["high"], -b["low"], b["p"]))
    assert there["headlines"]["uar"] | {"first": 0, "second": 0} == pytest.approx(
        {"first": 0, "second": 0, "difference": 0, "low": 0, "high": 0, "p": 1, "clusters": 20}
    )
    assert "noisy is worse than main in CCC valence" in there["sentence"]


def test_the_same_revision_cannot_be_told_apart(here, monkeypatch, capsys):
    text = call(monkeypatch, capsys, "main", "HEAD")
    assert "HEAD and main do not differ significantly" in text
    assert text.count("[+0.000, +0.000]  1.000") == 5


def test_models_of_one_revision(here, monkeypatch, capsys):
    text = call(monkeypatch, capsys, "better", "better", "--model", "pretrain_audio", "fusion")
    assert "fusion of better is better than pretrain_audio of better in accuracy" in text
    assert "CCC" not in text


def test_the_baseline_has_both_halves(here, monkeypatch, capsys):
    found = json.loads(call(monkeypatch, capsys, "main", "better", "--model", "baseline", "fusion", "--json"))
    rows = pd.read_csv(here / "data/models/baseline/emotion/predictions.csv").query("split == 'test'")
    assert found["headlines"]["accuracy"]["first"] == pytest.approx((rows.label == rows.predicted).mean(), abs=1e-6)
    assert found["headlines"]["ccc_valence"]["difference"] > 0.3 and found["headlines"]["ccc_valence"]["p"] < 0.01
    assert found["sentence"].startswith(
        "Over 200 test clips of 20 speakers and 180 test turns of 30 dialogues, fusion of"
    )


def test_other_rows_are_refused(here, monkeypatch, capsys):
    with pytest.raises(ValueError, match="main and relabelled: label of c000 is angry in one and happy in the other"):
        call(monkeypatch, capsys, "main", "relabelled")


def test_nothing_is_checked_out(here, monkeypatch, capsys):
    before = {file: file.stat().st_mtime_ns for file in (here / "data").rglob("*.csv")}
    call(monkeypatch, capsys, "better", "noisy")
    assert {file: file.stat().st_mtime_ns for file in (here / "data").rglob("*.csv")} == before
    assert run(here, "git", "status", "--porcelain") == ""


def test_unknown_revision(here, monkeypatch, capsys):
    with pytest.raises(ValueError, match=r"beter is no branch, tag, commit or experiment; see .*`dvc exp list`"):
        call(monkeypatch, capsys, "main", "beter")
