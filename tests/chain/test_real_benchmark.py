"""The tables of benchmarks.real: out-of-fold rows, their scores against scikit-learn, and settings that do not mix."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from trained_project import facts

from avemotion.formats import clips, labels
from benchmarks import real, real_ablations, real_scores, real_trials

CLASSES = ["angry", "happy"]


def trained(folder, seed):
    """Two folds with predictions of validation and test clips; clip i is of speaker i % 4 and tested in fold 1 or 2."""
    rng = np.random.default_rng(seed)
    ids = [f"{i:02}" for i in range(40)]
    rows = [
        {"id": clip, "label": CLASSES[i // 4 % 2], "speaker": f"s{i % 4}", "split": 1 + i % 2}
        for i, clip in enumerate(ids)
    ]
    labels.write("emotion", rows, facts("emotion", [1, 2]), folder / clips.FOLDER)
    table = pd.DataFrame(rows).rename(columns={"split": "fold"})
    table["predicted"] = np.where(rng.random(40) < 0.7, table["label"], rng.choice(CLASSES, 40))
    for fold in (1, 2):
        own = table.assign(split=np.where(table["fold"] == fold, "test", "val"))
        (folder / f"fold_{fold}").mkdir(parents=True)
        own[["id", "split", "label", "predicted"]].to_csv(folder / f"fold_{fold}/predictions.csv", index=False)
    return table


def test_scores_of_out_of_fold_rows(tmp_path):
    tables, expected = [], []
    for seed in (0, 1):
        truth = trained(tmp_path / str(seed), seed)
        expected.append(balanced_accuracy_score(truth["label"], truth["predicted"]))
        found = real_scores.predictions(tmp_path / str(seed), "test")
        pd.testing.assert_frame_equal(found[list(truth)], truth, check_dtype=False)
        tables.append(found)
    values, interval = real_scores.scored(tables)
    assert values == pytest.approx(expected) and interval.low < np.mean(expected) < interval.high
    mean, deviation = np.mean(expected), abs(expected[0] - expected[1]) / 2**0.5
    assert real_scores.in_words(tables).startswith(f"{mean:.3f} ± {deviation:.3f} [")
    assert re.fullmatch(rf"{expected[0]:.3f} \[0\.\d+, [01]\.\d+\]", real_scores.in_words(tables[:1]))


@pytest.mark.parametrize(
    ("preset", "rows"),
    [("ravdess_sound", real_ablations.SOUND), ("films", real_ablations.FACES), ("films", real_ablations.FUSION)],
)
def test_every_ablation_changes_params_that_there_are(tmp_path, preset, rows):
    """Only the first row, the preset itself, changes nothing."""
    corpus = real_trials.Corpus(folder=tmp_path, preset=preset, changes={}, kinds=())
    plain = corpus.params({})
    assert [title for title, changes in rows.items() if corpus.params(changes) == plain] == [next(iter(rows))]
    with pytest.raises(ValueError, match=r"audio\.encode: no such key in params\.yaml"):
        corpus.params({"audio.encode": "cnn"})


def test_a_folder_of_another_setting_is_not_scored_as_this_one(tmp_path, monkeypatch):
    corpus = real_trials.Corpus(folder=tmp_path, preset="ravdess_sound", changes={}, kinds=())
    monkeypatch.setattr(real_trials, "python", lambda folder, *arguments: None)  # computes no manifest
    first = corpus.project("a", {"seed": 1})
    assert corpus.project("a", {"seed": 1}) == first == tmp_path / "a"
    with pytest.raises(ValueError, match="trained with other params; remove it to train anew"):
        corpus.project("a", {"seed": 2})


@pytest.mark.parametrize("arguments", [["sounds", "--out", "x"], ["sound", "--out", "x"]])
def test_a_part_that_there_is_not_or_without_its_corpus(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["benchmarks.real", *arguments])
    with pytest.raises(SystemExit):
        real.main()
    error = capsys.readouterr().err
    unknown = "PART is 'sounds'; choose from sound, faces, fusion, affect, ablations"
    assert unknown in error or "part sound needs --ravdess" in error


def table(shares, speakers=("a", "a", "b", "b"), labels=("happy", "sad", "happy", "sad")):
    found = pd.DataFrame(shares, columns=["p_happy", "p_sad"]).assign(speaker=speakers, label=labels, fold=1)
    return found.assign(id=[f"{i}" for i in range(len(found))], predicted="sad")


def test_predictions_relative_to_the_speaker():
    """A speaker whom the model always takes for sad is judged by what differs between the clips."""
    found = table([[0.3, 0.7], [0.1, 0.9], [0.9, 0.1], [0.6, 0.4]]).assign(predicted=["sad", "sad", "happy", "happy"])
    assert real_scores.relative(found, "none")["predicted"].tolist() == ["sad", "sad", "happy", "happy"]
    assert real_scores.relative(found, "mean")["predicted"].tolist() == ["happy", "sad", "happy", "sad"]


def test_the_weighted_mean_of_two_models_by_hand():
    first, second = table([[0.8, 0.2], [0.4, 0.6]] * 2), table([[0.1, 0.9], [0.5, 0.5]] * 2)
    mixed = real_scores.mean([first, second], [0.75, 0.25])
    np.testing.assert_allclose(mixed["p_happy"], [0.625, 0.425] * 2)
    assert mixed["predicted"].tolist() == ["happy", "sad"] * 2


def test_a_gain_is_the_paired_difference_of_mean_uars():
    """The second model is right about every clip, the first about those of speaker a: UAR 0.5."""
    right = table([[0.9, 0.1], [0.1, 0.9]] * 2).assign(predicted=["happy", "sad"] * 2)
    half = right.assign(predicted=["happy", "sad", "sad", "happy"])
    assert real_scores.gain([right], [half]).startswith("+0.500 [+0.000, +1.000], p 0.5")
    assert real_scores.gain([right, right], [right, right]) == "+0.000 [+0.000, +0.000], p 1.000"
