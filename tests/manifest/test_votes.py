"""Votes of raters: from the corpora to votes.csv, their agreement, and what the models train on."""

from pathlib import Path

import corpus_trees as trees
import numpy as np
import pytest
from manifest_toys import HEADER, OWN, own, run

from avemotion.corpora import iemocap
from avemotion.formats import labels
from avemotion.manifest import agreement
from avemotion.parsing import votes
from avemotion.training.emotion.classifier import EmotionData

# Krippendorff (2011): four observers, twelve units, values 1 to 5, some missing; nominal alpha .743.


def counts(observers: list[str]) -> np.ndarray:
    return np.array([[sum(row[unit] == value for row in observers) for value in "12345"] for unit in range(12)], float)


def test_alpha_of_the_published_example():
    table = counts(["123321412...", "1233224125.3", ".3332342251.", "12332441251."])
    assert agreement.krippendorff_alpha(table) == pytest.approx(0.743, abs=5e-4)


def test_alpha_at_its_ends():
    assert agreement.krippendorff_alpha(np.array([[3.0, 0], [0, 2], [4, 0]])) == 1
    assert np.isnan(agreement.krippendorff_alpha(np.array([[3.0, 0], [2, 0]])))  # nobody ever named the other class
    drawn = np.random.default_rng(0).multinomial(5, [0.5, 0.3, 0.2], 20_000).astype(float)
    assert agreement.krippendorff_alpha(drawn) == pytest.approx(0, abs=0.01)  # raters who guess


def test_agreement_by_hand():
    of = agreement.of_votes({"a": {"x": 2, "y": 2}, "b": {"x": 4}}, {"a": "y", "b": "x"}, ["x", "y"])
    assert (of["clips"], of["raters"], of["entropy"], of["label_share"]) == (2, 4, 0.5, 0.75)


def test_majority_and_cells():
    assert votes.majority({"a": 2, "b": 1}) == "a" and votes.majority({"a": 2, "b": 2}) is None
    assert votes.parse("angry 3, very sad 1.5,happy 0") == {"angry": 3, "very sad": 1.5}
    for cell, message in (
        ("angry", "'angry' is no category with a number of votes"),
        ("angry -1", "is no category with"),
        ("angry 1, angry 2", "angry occurs twice"),
        ("angry 0", "no vote in it"),
    ):
        with pytest.raises(ValueError, match=message):
            votes.parse(cell)


def test_raters_of_iemocap(tmp_path):
    """Evaluators count, the actors' own ratings do not; one may name several categories."""
    head = trees.turn_line("Ses01F_impro01_F000", 0, 1, "fru").splitlines()[0]
    lines = ["C-E2:\tFrustration;\t()", "C-E3:\tAnger; Frustration;\t(loud)", "C-E4:\tNeutral state;\t()"]
    lines += ["C-F1:\tSadness;\t()", "A-E3:\tval 3; act 2; dom  2;\t()"]
    file = tmp_path / "Ses01F_impro01.txt"
    file.write_text("\n".join([head, *lines, "", trees.turn_line("Ses01F_impro01_M000", 1, 2, "neu")]), "cp1252")
    first, second = iemocap.read_ratings(file, "here")[0]
    assert first.votes == {"fru": 2, "ang": 1, "neu": 1} and second.votes == {}


SOFT = {"corpora__emotion": OWN, "corpora__affect": {"name": None, "root": "data/none"}}
SOFT |= {"manifest__emotion__split": "given"}


@pytest.fixture
def table(project) -> Path:
    """A table with votes in the emotion role; nobody votes on bob's clip."""
    rows = ['ann_1,a1.wav,,happy,,,ann,,,,train,"happy 3, sad 1"', "ann_2,a2.wav,,sad,,,ann,,,,train,sad 2"]
    rows += ["bob_1,b1.wav,,happy,,,bob,,,,train,", 'cid_1,c1.wav,,sad,,,cid,,,,val,"happy 1, sad 1"']
    own(project / "data/own", [*rows, "dan_1,d1.wav,,sad,,,dan,,,,test,"], f"{HEADER},split,votes")
    (project / "data/none").mkdir(exist_ok=True)
    return project / "data/own/clips.csv"


def test_models_train_on_the_shares_of_the_votes(table, monkeypatch, capsys):
    run(monkeypatch, **SOFT, manifest__emotion__target="soft")
    counts = labels.read_votes(["happy", "sad"])
    assert counts.loc["ann_1"].tolist() == [3, 1] and "bob_1" not in counts.index
    shares = EmotionData(None).shares()
    assert {clip: of.tolist() for clip, of in shares.items()} == {
        "ann_1": [0.75, 0.25],
        "ann_2": [0, 1],
        "bob_1": [1, 0],  # no votes: its class
    }
    facts = labels.read_facts("emotion")
    assert (facts.target, facts.agreement["clips"], facts.agreement["label_share"]) == ("soft", 3, 0.75)
    assert "raters: 2.7 votes a clip for 3 clips, Krippendorff's alpha" in capsys.readouterr().out


def test_the_majority_is_the_default(table, monkeypatch):
    run(monkeypatch, **SOFT)
    assert EmotionData(None).shares() is None and len(labels.read_votes(["happy", "sad"])) == 3


def test_bad_votes_are_named(table, monkeypatch):
    text = table.read_text()
    for change, message in (
        (("sad 2", "bad 2"), r"row 3: votes names bad, which is the emotion of no row"),
        (("sad 2", "sad two"), r"row 3: votes is 'sad two': 'sad two' is no category with a number of votes"),
    ):
        table.write_text(text.replace(*change))
        with pytest.raises(ValueError, match=message):
            run(monkeypatch, **SOFT)


def test_soft_targets_need_votes(project, monkeypatch):
    with pytest.raises(ValueError, match=r"manifest.emotion.target is soft, but ravdess has no votes of raters here"):
        run(monkeypatch, manifest__emotion__target="soft")
