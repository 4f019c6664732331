"""The stages evaluate and report on a small made-up result of all training stages, scored by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from results_toys import PREDICTED, TEST, VALENCE, detail, empty_exports, make, plot, run, table, write

from avemotion.formats import labels


def test_emotion_scores_by_hand(evaluated):
    scores = detail(evaluated, "emotion")
    test = scores["test"]
    assert test["accuracy"] == test["uar"] == pytest.approx(5 / 6, abs=1e-6)
    # F1: angry 1, happy 2/3 (one of two found), sad 4/5 (two of two found, one false).
    assert test["macro_f1"] == test["weighted_f1"] == pytest.approx((1 + 2 / 3 + 4 / 5) / 3, abs=1e-6)
    assert test["calibration_error"] == pytest.approx(5 / 6 - 0.8, abs=1e-6)
    # Two speakers with accuracies 2/3 and 1: every draw lies between them.
    assert (test["accuracy_low"], test["accuracy_high"]) == (pytest.approx(2 / 3, abs=1e-6), 1)
    assert scores["audio"] == pytest.approx({"accuracy": 1 / 3, "uar": 1 / 3, "macro_f1": 1 / 6}, abs=1e-6)
    assert scores["video"] == {"accuracy": 1, "uar": 1, "macro_f1": 1}
    assert list(scores["condition"]) == ["audio_only", "snr_5"]
    assert scores["condition"]["audio_only"]["uar"] == pytest.approx(1 / 3, abs=1e-6)
    assert scores["condition"]["audio_only"]["accuracy_low"] == pytest.approx(1 / 3, abs=1e-6)  # of both speakers
    shared = ("accuracy", "accuracy_low", "accuracy_high", "uar", "uar_low", "uar_high")
    assert scores["condition"]["snr_5"] == {name: test[name] for name in shared}
    assert scores["recall"] == {"angry": 1, "happy": 0.5, "sad": 1}
    assert scores["majority"] == scores["chance"] == pytest.approx(1 / 3, abs=1e-6)  # always happy
    one = {"accuracy": 1, "uar": 1, "macro_f1": 1}  # the single validation clip is right everywhere
    assert scores["val"] == one | {"clips": 1, "audio": one, "video": one}
    baseline = scores["baseline"]
    # The baseline finds no happy clip: recalls 1, 0, 1. Speaker S3 gains nothing by fusion, S4 one of three clips.
    assert (baseline["uar"], baseline["gain"]["uar"]["difference"]) == pytest.approx((2 / 3, 1 / 6), abs=1e-6)
    gain = baseline["gain"]["accuracy"]
    assert (gain["low"], gain["high"]) == pytest.approx((0, 1 / 3), abs=1e-6) and gain["p"] >= 0.5
    assert (baseline["val"]["uar"], baseline["speaker_statistics"]) == (1, False)
    assert baseline["chosen"] == {"emotion: ridge, C 0.1": 1}
    facts = {name: scores[name] for name in ("clips", "speakers", "synthetic", "speaker_overlap", "seed")}
    assert facts == {"clips": 6, "speakers": 2, "synthetic": True, "speaker_overlap": False, "seed": 0}


def test_affect_scores_by_hand(evaluated):
    scores = detail(evaluated, "affect")
    # Fold 1: cov = var = 5/4, one too high: 2.5 / (2.5 + 1). Fold 2 exact. Fold 3 constant.
    assert [scores[f"fold_{k}"]["ccc_valence"] for k in (1, 2, 3)] == pytest.approx([5 / 7, 1, 0], abs=1e-6)
    assert [scores[f"fold_{k}"]["rmse_valence"] for k in (1, 2, 3)] == [1, 0, 1.5]
    assert scores["mean"]["ccc_valence"] == pytest.approx((5 / 7 + 1) / 3, abs=1e-6)
    assert scores["sd"]["rmse_valence"] == pytest.approx(np.std([1, 0, 1.5], ddof=1), abs=1e-6)
    assert scores["ccc_arousal"] == scores["pearson_arousal"] == scores["ccc_arousal_low"] == 1
    truth, prediction = (np.concatenate(list(values.values())) for values in (VALENCE, PREDICTED))
    gap = truth.mean() - prediction.mean()
    ccc = 2 * np.cov(truth, prediction, ddof=0)[0, 1] / (truth.var() + prediction.var() + gap**2)
    assert scores["ccc_valence"] == pytest.approx(ccc, abs=1e-6)
    assert scores["ccc_valence_low"] < ccc < scores["ccc_valence_high"]
    assert scores["rmse_valence"] == pytest.approx(np.sqrt((1 + 0 + 2.25) / 3), abs=1e-6)
    # Training folds 3, 1, 2 have the means 2.5, 2.5, 3.5; squared errors 5/4, 9/4 and 13/4 on average.
    assert scores["training_mean"]["rmse_valence"] == 1.5
    baseline = scores["baseline"]  # exact in valence, constant in arousal
    assert (baseline["ccc_valence"], baseline["ccc_arousal"]) == (1, 0)
    assert baseline["gain"]["ccc_valence"]["difference"] == pytest.approx(ccc - 1, abs=1e-6)
    assert baseline["gain"]["ccc_arousal"]["low"] == 1
    assert baseline["chosen"] == {"arousal: ridge, C 0.1": 3, "valence: ridge, C 0.1": 3}
    # Validation: each fold once, each valence one too high: 2 var / (2 var + 1).
    assert scores["val"]["ccc_valence"] == pytest.approx(2 * truth.var() / (2 * truth.var() + 1), abs=1e-6)
    assert (scores["val"]["rmse_valence"], scores["val"]["ccc_arousal"], scores["val"]["turns"]) == (1, 1, 12)
    assert (scores["turns"], scores["unlabelled"], scores["dialogues"], scores["speakers"]) == (12, 1, 6, 3)


def leaves(values: dict, above: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= leaves(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


@pytest.mark.parametrize("role", ["emotion", "affect"])
def test_headlines_fit_a_screen_and_are_part_of_the_detail(evaluated, role):
    headlines, everything = (
        leaves(json.loads((evaluated / place / f"{role}.json").read_text())) for place in ("metrics", "metrics/detail")
    )
    assert 5 < len(headlines) <= 15 < len(everything) and headlines.items() <= everything.items()
    assert {"emotion": "test.uar", "affect": "ccc_valence"}[role] in headlines
    assert {"emotion": "val.uar", "affect": "val.ccc_valence"}[role] in headlines
    assert headlines["baseline.speaker_statistics"] is False
    assert role == "emotion" or headlines["speaker_statistics"] is True  # one fold takes prosody by speaker


def test_the_device_of_training_is_a_headline_where_it_is_not_the_cpu(tmp_path):
    models = make(tmp_path) / "data/models"
    assert (
        "device" not in headline(run(tmp_path, "emotion"), "emotion") and detail(tmp_path, "emotion")["device"] == "cpu"
    )
    (models / "fusion/model.json").write_text('{"device": "cuda", "temperature": 1.0}')
    assert headline(run(tmp_path, "emotion"), "emotion")["device"] == "cuda"
    facts = {"device": "cuda", "normalise": {"prosody": "corpus", "speech": "none"}}
    (models / "va/fold_2/model.json").write_text(json.dumps(facts))
    assert headline(run(tmp_path, "affect"), "affect")["device"] == "cpu, cuda"
    (models / "va/fold_2/model.json").write_text("{}")
    with pytest.raises(ValueError, match=r"fold_2.model.json: no readable device.*dvc repro"):
        run(tmp_path, "affect")


def headline(root, role: str) -> dict:
    return json.loads((root / f"metrics/{role}.json").read_text())


def test_tables_hold_what_the_models_left(evaluated):
    plots = {file.stem: pd.read_csv(file) for file in (evaluated / "plots").rglob("*.csv")}
    assert plots["confusion"].value_counts().to_dict()[("happy", "sad")] == 1 and len(plots["confusion"]) == 6
    assert set(plots["gates"]["clip"]) == set(TEST)  # not the validation clip
    assert plots["folds"]["fold"].tolist() == ["1", "1", "2", "2", "3", "3", "all", "all"]
    assert len(plots["plane"]) == 5
    assert len(plots["training"]) == (3 + 3) * 2 * 3  # runs x epochs x series
    heard = plots["attention_video_to_audio"]
    assert heard["clip"].unique().tolist()[2] == "c2"  # the one that is wrong
    assert heard["rank"].unique().tolist() == ["best", "median", "worst"]
    assert heard["relative"][:4].tolist() == pytest.approx([1.6, 1.6, 0.4, 0.4])  # 4 x mean over frames
    assert plots["attention_audio_to_video"]["relative"][:2].tolist() == pytest.approx([1.2, 0.8])
    assert plots["attention_prosody_to_speech"]["relative"][:3].tolist() == pytest.approx([1.5, 0.9, 0.6])
    assert set(plots["branches"]["weight"]) == {0.25, 0.6}


def test_precision_of_the_stored_states(evaluated):
    found = detail(evaluated, "features")
    clips = {role: len(labels.read(role, evaluated / "data" / "manifest")) for role in ("emotion", "affect")}
    last = {"stored": "float16", "float16_error": 0.25}
    assert found == {
        f"{role}_wavlm": {"clips": count, "precision": "fp32", "last": last} for role, count in clips.items()
    }


@pytest.mark.slow
def test_same_bytes_in_another_folder(evaluated, copied):
    run(copied)
    files = [
        sorted(file.relative_to(root) for name in ("metrics", "plots") for file in (root / name).rglob("*.*"))
        for root in (evaluated, copied)
    ]
    assert len(files[0]) == 2 + 4 + 13 + 12 + 2 and files[0] == files[1]
    assert [file for file in files[0] if (evaluated / file).read_bytes() != (copied / file).read_bytes()] == []


def test_modes_without_gate_and_attention(evaluated, copied):
    empty_exports(copied / "data/models")
    run(copied)
    names = [sorted(file.name for file in (root / "plots").rglob("*.*")) for root in (copied, evaluated)]
    assert names[0] == names[1]
    assert plot(copied, "gates.csv").read_text() == "label,clip,gate\nno gate in this fusion mode,,\n"
    for name in ("attention_video_to_audio", "attention_prosody_to_speech", "branches", "profiles", "entropy"):
        rows = table(copied, name)
        assert len(rows) == 1 and rows.iloc[0, 0].startswith("no ") and rows.iloc[0, 1:].isna().all()
    for file in ("metrics/emotion.json", "metrics/detail/emotion.json"):
        assert (copied / file).read_bytes() == (evaluated / file).read_bytes()


def test_a_silent_turn_has_no_score_and_is_counted(copied):
    folder = copied / "data/models/va/fold_1"
    for name, silent in (("predictions", None), ("branches", "dropped")):
        table = pd.read_csv(folder / f"{name}.csv")
        if silent:
            table = table[table.id != "d10_0"]
        else:
            table.loc[table.id == "d10_0", ["valence_predicted", "arousal_predicted"]] = np.nan
        write(folder / f"{name}.csv", table)
    run(copied, "affect")
    scores = detail(copied, "affect")
    assert (scores["turns"], scores["unlabelled"], scores["silent"]) == (11, 2, 1)
    assert scores["fold_1"]["rmse_valence"] == 1 and scores["fold_1"]["turns"] == 3  # the others are one off as before
    write(folder / "predictions.csv", pd.read_csv(folder / "predictions.csv").assign(valence_predicted=np.nan))
    with pytest.raises(ValueError, match=r"fold_1/predictions.csv: no finite prediction for d10_1"):
        run(copied, "affect")


def test_a_model_that_does_not_hear_has_no_conditions(copied):
    file = copied / "data/models/fusion/conditions.csv"
    write(file, pd.read_csv(file).head(0))
    run(copied, "emotion")
    assert detail(copied, "emotion")["condition"] == {}
    rows = table(copied, "conditions")
    assert rows["condition"].tolist() == ["as it is"] * 2 and rows["value"].tolist() == pytest.approx([5 / 6] * 2)
