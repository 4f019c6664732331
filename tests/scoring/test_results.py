"""Results that do not fit the labels are refused."""

import json

import numpy as np
import pandas as pd
import pytest
from results_toys import facts, write

from avemotion.scoring import model_facts, results, summaries


def test_without_dialogues_turns_are_resampled_by_speaker(copied):
    file = copied / "data/manifest/affect/labels.csv"
    pd.read_csv(file).assign(dialogue=None).to_csv(file, index=False)
    turns = results.predicted_turns(*results.read_manifest("affect", copied), copied)
    assert list(turns["dialogue"]) == list(turns["speaker"]) and turns["speaker"].notna().all()


@pytest.mark.parametrize(
    "file, change, message",
    [
        ("fusion/predictions.csv", lambda t: t[t.id != "c3"], r"fusion/predictions.csv.*1 missing, 0 unknown \(c3"),
        ("pretrain_audio/predictions.csv", lambda t: t.replace("c3", "c9"), r"pretrain_audio.*1 missing, 1 unknown"),
        ("fusion/predictions.csv", lambda t: pd.concat([t, t[t.id == "c3"]]), "c3 occurs twice"),
        ("fusion/predictions.csv", lambda t: t.assign(label="sad"), "label of c1 is sad, but angry in labels.csv"),
        ("fusion/predictions.csv", lambda t: t.assign(predicted="joy"), "'joy' is not one of angry, happy, sad"),
        ("fusion/predictions.csv", lambda t: t.assign(p_sad=np.nan), "no finite prediction for c1"),
        ("fusion/predictions.csv", lambda t: t.drop(columns="p_sad"), "columns are .* expected .*p_sad"),
        (
            "va/fold_2/predictions.csv",
            lambda t: t.assign(valence=t.valence + 1),
            "valence of d20_0 is 3.0, but 2.0 in labels",
        ),
        ("va/fold_2/predictions.csv", lambda t: t.iloc[1:], r"fold_2/predictions.csv.*1 missing.*d20_0.*dvc repro"),
        ("fusion/conditions.csv", lambda t: t[t.id != "c3"], r"fusion/conditions.csv.*1 missing, 0 unknown \(c3"),
        ("fusion/conditions.csv", None, "fusion/conditions.csv: no such file"),
        ("va/fold_1/history.csv", None, "fold_1/history.csv: no such file"),
        ("fusion/attention.safetensors", None, "fusion/attention.safetensors: cannot be read"),
    ],
)
def test_results_that_do_not_fit_are_refused(copied, monkeypatch, file, change, message):
    path = copied / "data/models" / file
    if change:
        write(path, change(pd.read_csv(path)))
    else:
        path.unlink()
    monkeypatch.chdir(copied)
    with pytest.raises(ValueError, match=message):
        results.read_emotion(), results.read_affect(), results.histories({"affect": facts("affect", folds=[1, 2, 3])})
        results.attention(results.MODELS / "fusion")


def test_inputs_by_speaker_are_a_fact_of_the_models(copied):
    assert model_facts.speaker_inputs("affect", [1, 2, 3], copied)
    assert not model_facts.speaker_inputs("affect", [2, 3], copied)
    (copied / "data/models/va/fold_2/model.json").unlink()
    with pytest.raises(ValueError, match=r"va/fold_2/model.json: no normalise .*dvc repro"):
        model_facts.speaker_inputs("affect", [2, 3], copied)


def test_undefined_scores_are_null():
    assert json.loads(summaries.text({"a": float("nan"), "b": {"c": 0.123456789, "d": True}})) == {
        "a": None,
        "b": {"c": 0.123457, "d": True},
    }
