"""The ablation table: settings found, seeds averaged, intervals and p from the saved predictions, failures listed."""

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toy_stage
import yaml
from toy_project import PARAMS, make, run

from avemotion.comparison import grid, grid_curve, paired, runs
from avemotion.scoring import headlines, intervals, metrics
from avemotion.system.seeds import seed_for
from commands import ablations


def train(folder: Path, mode: str, seed: int, **changes: dict) -> Path:
    """What a run of the toy chain leaves."""
    folder.mkdir(parents=True)
    params = yaml.safe_load(PARAMS) | {"seed": seed} | changes
    params["fusion"] = {"mode": mode}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        toy_stage.main()
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for mode in ("concat", "gated"):
        for seed in (1, 2, 3):
            train(root / f"{mode}{seed}", mode, seed, compute={"workers": seed})
    return root


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


def table(monkeypatch, capsys, *arguments: str) -> pd.DataFrame:
    call(monkeypatch, capsys, "--out", "table.csv", *arguments)
    return pd.read_csv("table.csv", dtype={"seeds": str}).replace({np.nan: None})


def call(monkeypatch, capsys, *arguments: str) -> str:
    folders = [] if "--folders" in arguments else ["--folders", *sorted(p.name for p in Path().iterdir() if p.is_dir())]
    on = [] if "--on" in arguments else ["--on", "test"]
    monkeypatch.setattr("sys.argv", ["ablations", *folders, *on, *arguments])
    ablations.main()
    return capsys.readouterr().out


def accuracies(mode: str, stage: str = "fusion", on: str = "test") -> list[float]:
    found = []
    for seed in (1, 2, 3):
        rows = pd.read_csv(f"{mode}{seed}/data/models/{stage}/predictions.csv").query("split == @on")
        found.append(float((rows.label == rows.predicted).mean()))
    return found


def test_rows_are_settings_and_scores_are_means_over_seeds(here, monkeypatch, capsys):
    rows = table(monkeypatch, capsys)
    assert rows["model"].tolist() == ["pretrain_audio", "pretrain_video", "fusion", "fusion"]
    assert rows["fusion.mode"].tolist() == [None, None, "concat", "gated"]  # found by itself; compute and seed are not
    assert set(rows["seeds"]) == {"1 2 3"}
    for i, (mode, stage) in enumerate(
        [("concat", "pretrain_audio"), ("gated", "pretrain_video"), ("concat", "fusion")]
    ):
        by_hand = accuracies(mode, stage)
        assert rows["accuracy"][i] == pytest.approx(np.mean(by_hand), abs=1e-6)
        assert rows["accuracy_sd"][i] == pytest.approx(np.std(by_hand, ddof=1), abs=1e-6)
        assert rows["accuracy_low"][i] < np.mean(by_hand) < rows["accuracy_high"][i]
    turns = [
        pd.concat([pd.read_csv(f"gated{seed}/data/models/va/fold_{fold}/predictions.csv") for fold in (1, 2, 3)])
        for seed in (1, 2, 3)
    ]
    turns = [table.query("split == 'test'") for table in turns]
    ccc = [metrics.ccc(t["valence"], t["valence_predicted"]) for t in turns]
    assert rows["ccc_valence"][3] == pytest.approx(np.mean(ccc), abs=1e-6)
    assert rows["ccc_valence"][0] is None  # a unimodal model has none


def test_settings_are_chosen_on_validation_clips(here, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["ablations", "--folders", *sorted(p.name for p in here.iterdir())])
    ablations.main()  # no --on
    assert "over validation clips resampled by speaker or dialogue]. For choosing: " in capsys.readouterr().out
    rows = table(monkeypatch, capsys, "--on", "val", "--baseline", "fusion.mode=concat").iloc[-1]
    means = {mode: np.mean(accuracies(mode, on="val")) for mode in ("concat", "gated")}
    assert (rows["on"], rows["accuracy"]) == ("val", pytest.approx(means["gated"], abs=1e-6))
    assert rows["accuracy_difference"] == pytest.approx(means["gated"] - means["concat"], abs=1e-6)
    turns = [
        pd.concat([pd.read_csv(f"gated{seed}/data/models/va/fold_{fold}/predictions.csv") for fold in (1, 2, 3)])
        for seed in (1, 2, 3)
    ]
    ccc = [metrics.ccc(t["valence"], t["valence_predicted"]) for t in (t.query("split == 'val'") for t in turns)]
    assert rows["ccc_valence"] == pytest.approx(np.mean(ccc), abs=1e-6)
    assert means["gated"] != np.mean(accuracies("gated"))
    assert set(table(monkeypatch, capsys)["on"]) == {"test"}


def test_difference_from_the_baseline(here, monkeypatch, capsys):
    rows = table(monkeypatch, capsys, "--baseline", "fusion.mode=concat").set_index(["model", "fusion.mode"])
    gated, concat = rows.loc[("fusion", "gated")], rows.loc[("fusion", "concat")]
    assert concat["accuracy_p"] is None  # the baseline itself
    gain = np.mean(accuracies("gated")) - np.mean(accuracies("concat"))
    assert gated["accuracy_difference"] == pytest.approx(gain, abs=1e-6)
    assert gated["accuracy_p"] < 0.01 < 0.05 < gated["ccc_arousal_p"]
    assert "p = " in call(monkeypatch, capsys, "--baseline", "fusion.mode=concat")
    assert "p = " not in call(monkeypatch, capsys)


def test_one_seed_gives_the_interval_of_evaluate_and_the_p_of_compare(here, monkeypatch, capsys):
    rows = table(monkeypatch, capsys, "--folders", "concat1", "gated1", "--baseline", "fusion.mode=concat")
    sides = [paired.read(Path(name), name, "fusion", affect=True, on="test") for name in ("concat1", "gated1")]
    found = paired.differences(sides[:1], sides[1:], 2000, 0)
    gated = rows.iloc[-1]
    assert list(found) == [name for name in headlines.HEADLINES if name != "ccc_dominance"]
    for name in found:
        assert (gated[name], gated[f"{name}_p"]) == pytest.approx((found[name].second, found[name].p), abs=1e-6)
        assert gated[f"{name}_sd"] is None
    draws = {"draws": 2000, "seed": seed_for(0, "bootstrap", "emotion")}
    bounds = intervals.bootstrap(sides[1].sums["emotion"], **draws)["uar"]
    assert (gated["uar_low"], gated["uar_high"]) == pytest.approx(bounds, abs=1e-6)


def test_seeds_and_splits_are_one_grid_with_two_variances(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scores = {}
    for deal in (0, 1):
        emotion = {"split": "actor_kfold", "deal": deal}
        for seed in (1, 2):
            name = f"{deal}-{seed}"
            train(Path(name), "gated", 10 * deal + seed, manifest={"shift": 0, "emotion": emotion})
            file = Path(name) / "params.yaml"  # the toy has no splits: another seed stands for another split
            file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"seed": seed}))
            rows = pd.read_csv(f"{name}/data/models/fusion/predictions.csv").query("split == 'test'")
            scores[deal, seed] = float((rows.label == rows.predicted).mean())
    rows = table(monkeypatch, capsys).set_index("model").loc["fusion"]
    assert (rows["runs"], rows["seeds"], rows["splits"]) == (4, "1 2", "0/0 1/0")
    means = [np.mean([scores[deal, seed] for seed in (1, 2)]) for deal in (0, 1)]
    within = np.mean([np.var([scores[deal, seed] for seed in (1, 2)], ddof=1) for deal in (0, 1)])
    assert rows["accuracy_sd_seeds"] == pytest.approx(within**0.5, abs=1e-6)
    between = max(0.0, np.var(means, ddof=1) - within / 2)
    assert rows["accuracy_sd_splits"] == pytest.approx(between**0.5, abs=1e-6)
    lines = call(monkeypatch, capsys, "--metric", "accuracy").splitlines()
    assert lines[0] == "| model | seeds | splits | accuracy |" and "| 2 | 2 | " in lines[4]
    assert re.search(r"± 0\.\d{3} \(seeds 0\.\d{3}, splits 0\.\d{3}\) \[", lines[4])
    assert "over seeds and splits (the sd of each in brackets)" in lines[-1]


def test_markdown(here, monkeypatch, capsys):
    lines = call(monkeypatch, capsys, "--metric", "uar", "accuracy").splitlines()
    assert lines[0] == "| model | fusion.mode | seeds | UAR | accuracy |"
    assert {line.count("|") for line in lines[:6]} == {6}
    assert re.fullmatch(r"\| fusion \| gated \| 3 \| 0\.\d{3} ± 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \| .* \|", lines[5])
    assert "Synthetic sample" in lines[-1]


def test_a_run_without_results_is_listed(here, monkeypatch, capsys):
    (here / "gated2/data/models/fusion/predictions.csv").unlink()
    text = call(monkeypatch, capsys)
    assert "- gated2 (seed 2, fusion.mode=gated) is missing: gated2/data/models/fusion/predictions.csv: no such" in text
    rows = table(monkeypatch, capsys)
    assert rows["seeds"].tolist() == ["1 2 3", "1 2 3", "1 2 3", "1 3", "2"]
    assert rows["fault"].iloc[-1].startswith("gated2: ")


def test_runs_without_valence_and_arousal(here, monkeypatch, capsys):
    shutil.rmtree(here / "gated2/data/models/va")
    text = call(monkeypatch, capsys)
    assert "no valence and arousal, for gated2 lacks data/models/va" in text
    assert next(line for line in text.splitlines() if "| gated |" in line).endswith("| – | – |")  # noqa: RUF001


def test_repeated_runs_count_once(here, monkeypatch, capsys):
    train(here / "again", "gated", 1)
    assert "again" not in call(monkeypatch, capsys)
    file = here / "again/data/models/fusion/predictions.csv"
    file.write_text(file.read_text().replace("c001,test,happy,happy", "c001,test,happy,sad"))
    text = call(monkeypatch, capsys)
    assert "seed 1: gated1 gave other predictions than again and is left out" in text


def test_settings_of_several_params(here, monkeypatch, capsys):
    train(here / "noisy", "gated", 1, va={"noise": 2})
    rows = table(monkeypatch, capsys)
    assert rows.columns[:3].tolist() == ["model", "fusion.mode", "va.noise"]
    assert len(rows) == 5
    with pytest.raises(
        ValueError, match=r"gated1 and noisy are both model=fusion, fusion\.mode=gated but differ in va"
    ):
        call(monkeypatch, capsys, "--by", "fusion.mode")


def test_other_test_rows_are_not_compared(here, monkeypatch, capsys):
    train(here / "moved", "gated", 1, manifest={"shift": 1})
    text = call(monkeypatch, capsys, "--baseline", "fusion.mode=gated", "manifest.shift=1")
    assert "is not compared with the baseline: moved and concat1: label of c000 is happy in one and angry" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "fusion.mode=late"], "baseline model=fusion, fusion.mode=late fits 0 settings, not one; there"),
        (["--baseline", "concat"], "--baseline is concat; write it as"),
        (["--out", "table.txt"], "ends in .md or .csv"),
        (["--folders", "nowhere"], "nowhere/params.yaml: no such file"),
    ],
)
def test_mistakes_are_named(here, monkeypatch, capsys, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(monkeypatch, capsys, *arguments)


@pytest.mark.slow
def test_the_queue_makes_the_grid(tmp_path, monkeypatch, capsys):
    """The documented commands: queue a grid, run it, tabulate it. A failing mode is listed; files stay as they are."""
    folder = make(tmp_path / "project")
    grid = ["-S", "fusion.mode=concat,gated,broken", "-S", "seed=range(1,3)"]
    run(folder, "dvc", "exp", "run", "--queue", *grid)
    run(folder, "dvc", "exp", "run", "--run-all", check=False)  # fails, for one mode does
    assert run(folder, "git", "status", "--porcelain") == ""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["ablations", "--baseline", "fusion.mode=concat", "--out", "table.csv"])
    ablations.main()
    rows = pd.read_csv("table.csv", dtype={"seeds": str})
    assert rows["fusion.mode"].tolist()[2:] == ["concat", "gated", "broken", "broken"]
    assert rows["seeds"].tolist() == ["1 2"] * 4 + ["1", "2"]
    assert rows["accuracy_p"][3] < 0.01 and math.isnan(rows["accuracy_p"][2])
    assert rows["fault"][4:].str.contains("failed; see `dvc queue logs").all()


def test_a_curve_has_a_line_for_each_other_setting_in_the_order_of_the_numbers(tmp_path, monkeypatch, capsys):
    for mode in ("concat", "gated"):
        for count in (10, 2, None):
            for seed in (1, 2):
                train(tmp_path / f"{mode}{count}_{seed}", mode, seed, few={"speakers": count})
    monkeypatch.chdir(tmp_path)
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    collected = [runs.folder(folder, "test") for folder in folders]
    table = grid.build(collected, ["few.speakers", "fusion.mode"], None, 100, 0)
    drawn = {curve.label: curve for curve in grid_curve.curves(table, "few.speakers", "uar")}
    assert set(drawn) == {"pretrain_audio", "pretrain_video", "fusion, fusion.mode=concat", "fusion, fusion.mode=gated"}
    of = drawn["fusion, fusion.mode=gated"]
    assert of.values == ["2", "10", "null"]  # all speakers last
    by_hand = [runs.folder(tmp_path / f"gated2_{seed}", "test").models["fusion"].headlines()["uar"] for seed in (1, 2)]
    assert of.cells[0].mean == pytest.approx(sum(by_hand) / 2) and of.cells[0].low < of.cells[0].mean < of.cells[0].high
    call(monkeypatch, capsys, "--x", "few.speakers", "--out", "curve.png")
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match=r"--x is fusion\.mode, whose value (concat|gated) is no number"):
        call(monkeypatch, capsys, "--x", "fusion.mode", "--out", "curve.png")
    with pytest.raises(ValueError, match=r"--x is va\.noise, in which the runs do not differ; they differ in .*few"):
        call(monkeypatch, capsys, "--x", "va.noise", "--out", "curve.png")
    with pytest.raises(ValueError, match="belong together"):
        call(monkeypatch, capsys, "--x", "few.speakers")
