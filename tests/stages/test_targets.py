"""Three targets, or one: results scored by hand, and trained by the stages themselves."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_params import params_with
from results_toys import PREDICTED, VALENCE, detail, run, table, write, write_chosen
from torchmetrics.functional import concordance_corrcoef
from trained_project import CHANGES, facts, main, rows, turns

from avemotion.comparison import ensembles, paired
from avemotion.formats import labels, targets
from commands import ablations, personalise, predict
from stages import baseline, evaluate, features, va

UNRATED = "d10_0"  # the turn without dominance


def with_dominance(root: Path) -> Path:
    """results_toys with a third target: the true valence and its prediction again; the baseline gives 3."""
    manifest, models = root / "data/manifest", root / "data/models"
    known = labels.read("affect", manifest)
    known["dominance"] = known["valence"].where(known["id"] != UNRATED)
    labels.write("affect", known.to_dict("records"), labels.read_facts("affect", manifest), manifest)
    for stage in ("va", "baseline/affect"):
        for fold in VALENCE:
            folder = models / stage / f"fold_{fold}"
            told = pd.read_csv(folder / "predictions.csv")
            told["dominance"] = told["valence"].where(told["id"] != UNRATED)
            told["dominance_predicted"] = told["valence_predicted"] if stage == "va" else 3.0
            write(folder / "predictions.csv", told[targets.prediction_columns(targets.RATED)])
            if stage == "va":
                weights = pd.read_csv(folder / "branches.csv")
                write(folder / "branches.csv", weights.assign(dominance_own=0.9, dominance_rest=0.1))
            else:
                write_chosen(folder, *targets.RATED)
    return root


def test_dominance_is_scored_over_the_turns_that_have_it(copied):
    scores = detail(run(with_dominance(copied)), "affect")
    truth, prediction = (np.concatenate(list(of.values())).astype(float)[1:] for of in (VALENCE, PREDICTED))
    gap = truth.mean() - prediction.mean()
    ccc = 2 * np.cov(truth, prediction, ddof=0)[0, 1] / (truth.var() + prediction.var() + gap**2)
    assert scores["ccc_dominance"] == pytest.approx(ccc, abs=1e-6) and scores["ccc_dominance"] != scores["ccc_valence"]
    assert (scores["turns"], scores["unlabelled"]) == (11, 2)
    assert scores["labelled"] == {"valence": 12, "arousal": 12, "dominance": 11}
    # Of three training folds, that of fold 2 (fold 1 alone, less the unrated turn) has the mean of 2, 3 and 4.
    assert scores["fold_2"]["ccc_dominance"] == scores["fold_2"]["ccc_valence"] == 1
    assert scores["baseline"]["ccc_dominance"] == 0
    assert scores["baseline"]["gain"]["ccc_dominance"]["difference"] == pytest.approx(ccc, abs=1e-6)
    assert scores["served"]["speaker"]["S2"]["ccc_dominance"] == 1
    headlines = json.loads((copied / "metrics/affect.json").read_text())
    assert headlines["val"].keys() == {"ccc_valence", "ccc_arousal", "ccc_dominance"}
    assert table(copied, "folds")["target"].tolist() == targets.RATED * 4
    assert table(copied, "branches").groupby("target")["branch"].first().to_dict() == targets.OWN
    page = (copied / "plots/report.html").read_text(encoding="utf-8")
    assert "Valence, arousal and dominance" in page and "CCC dominance" in page and "11 with dominance" in page


def test_turns_without_one_target_are_counted(copied):
    known = labels.read("affect", with_dominance(copied) / "data/manifest")
    assert targets.unrated(known, targets.RATED) == {"valence": 0, "arousal": 0, "dominance": 1}
    assert targets.unrated(known, ["dominance"]) == {"dominance": 0}  # the turn has no other target to count for


def test_one_target_alone(copied):
    for file in sorted((copied / "data/models").glob("*/**/fold_*/predictions.csv")):
        write(file, pd.read_csv(file)[targets.prediction_columns(["arousal"])])
    for file in (copied / "data/models/va").rglob("branches.csv"):
        write(file, pd.read_csv(file)[["id", *targets.branches(["arousal"])]])
    scores = detail(run(copied), "affect")
    assert scores["ccc_arousal"] == 1 and not [name for name in scores if "valence" in name]
    assert "both labels" in table(copied, "plane")["id"][0]  # no plane of one axis


def test_runs_of_two_and_of_three_targets_are_compared_in_what_both_have(copied, results, monkeypatch, capsys):
    read = [paired.read(root, str(i), "fusion", affect=True, on="test")
            for i, root in enumerate((results, with_dominance(copied)))]  # fmt: skip
    assert list(paired.differences(read[:1], read[1:], 50, 0))[-2:] == ["ccc_valence", "ccc_arousal"]
    for pair, names in ((read, targets.USUAL), (read[::-1], targets.USUAL), (read[1:] * 2, targets.RATED)):
        both = ensembles.mean(pair, [0.5, 0.5])
        assert targets.predicted(both.affect) == names == list(both.sums)[1:]
        assert both.headlines()["ccc_valence"] == pytest.approx(read[0].headlines()["ccc_valence"])
    for roots, shown in (([results], False), ([copied], True)):
        monkeypatch.setattr("sys.argv", ["ablations", "--draws", "50", "--folders", *map(str, roots)])
        ablations.main()
        assert ("CCC dominance" in capsys.readouterr().out) == shown


@pytest.fixture
def rated(own) -> Path:
    """The six clips of trained_project with dominance."""
    known = [row | {"dominance": 2 + i % 3} for i, row in enumerate(turns())]
    labels.write("affect", known, facts("affect", [1, 2, 3]))
    return own


def test_the_stages_train_score_and_predict_three_targets(rated, capsys):
    changes = CHANGES | {"va.targets": targets.RATED, "va.state.alpha": "per_target", "va.dominance_lr": 1.0e-3}
    params_with(rated, changes)
    main(features, "mel", "--role", "affect")
    main(va)
    told = rows("va/fold_3/predictions.csv")
    assert list(told)[1:] == targets.prediction_columns(targets.RATED)[2:] and told["dominance_predicted"].nunique() > 2
    assert list(json.loads(Path("data/models/va/fold_3/learned.json").read_text())["alpha"]) == targets.RATED
    main(baseline, "--role", "affect")
    main(evaluate, "affect")
    tested = [rows(f"va/fold_{fold}/predictions.csv").query("split == 'test'") for fold in (1, 2, 3)]
    pairs = pd.concat(tested)[["dominance_predicted", "dominance"]].dropna().to_numpy()
    import torch

    # torchmetrics divides by n - 1; with both columns shifted to mean 0 the factor cancels (test_losses.py).
    prediction, truth = torch.from_numpy(pairs).T
    ours = json.loads(Path("metrics/detail/affect.json").read_text())
    shift = (prediction.mean() - truth.mean()) ** 2
    centred = concordance_corrcoef(prediction - prediction.mean(), truth - truth.mean()).item()
    covariance = ((prediction - prediction.mean()) * (truth - truth.mean())).mean()
    assert 1 / (1 / centred + shift / (2 * covariance)) == pytest.approx(ours["ccc_dominance"], abs=1e-4)
    capsys.readouterr()
    main(predict, "c1.mov", "--json", "--plot", "c1.png")
    answer = json.loads(capsys.readouterr().out)
    assert answer["recordings"][0]["dominance"]["folds"][2] == pytest.approx(
        told.loc["c1", "dominance_predicted"], abs=1e-4
    )
    assert Path("c1.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match="no speaker of fold 1 has 3 labelled turns"):
        main(personalise, "--turns", "1", "--steps", "1", "--fold", "1")


def test_a_corpus_without_dominance_is_refused_before_any_work(own):
    params_with(own, CHANGES | {"va.targets": targets.RATED})
    for stage in (va, baseline):
        with pytest.raises(ValueError, match=r"affect/labels\.csv: no turn has a rating in column dominance; take"):
            main(stage)
