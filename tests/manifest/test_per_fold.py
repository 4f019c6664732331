"""One corpus in both roles: the emotion role in the folds of the affect role."""

import shutil

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_toys import OWN, own, run
from results_toys import facts

from avemotion.formats import clips, labels
from avemotion.manifest import disjoint, per_fold, probe
from avemotion.parsing.clip import Clip
from avemotion.training.common.folds import Fold, plan

TWICE = {"corpora__emotion": {"name": "iemocap", "root": "data/iemocap"}}
PER_FOLD = {"pretrain__per_fold": True}


def heard(fold, speakers: pd.Series, split: pd.Series) -> set[str]:
    """Whom the emotion models of a fold train or validate on, by what training itself makes of the column split."""
    return set(speakers[fold.parts(split) != "test"])


def cyclic(part_of: dict[str, str]) -> list[Fold]:
    folds = sorted(map(int, set(part_of.values())))
    return plan(facts("emotion", folds=folds)) if len(folds) > 2 else []


def clip(clip_id: str, speaker: str, **rest) -> Clip:
    return Clip(id=clip_id, speaker=speaker, gender=None, emotion="e", **rest)


def test_one_corpus_in_both_roles_is_refused_and_the_remedy_works(project, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
        with pytest.raises(ValueError, match=r"both iemocap and share speakers Ses01F, .*set pretrain\.per_fold: true"):
            run(monkeypatch, **TWICE)
    run(monkeypatch, **TWICE, **PER_FOLD)
    emotion, affect = labels.read("emotion"), labels.read("affect")
    stated = labels.read_facts("emotion")
    assert (stated.split, stated.folds, stated.speaker_overlap, stated.per_fold) == ("per_fold", [1, 2, 3], False, True)
    assert not labels.read_facts("affect").per_fold and labels.read_facts("affect").folds == [1, 2, 3]
    assert emotion.groupby("split").speaker.unique().map(sorted).to_dict() == {
        str(k): [f"Ses0{k}F", f"Ses0{k}M"] for k in (1, 2, 3)
    }
    for fold in plan(stated):
        tested = set(affect.speaker[fold.parts(affect.split) == "test"])
        assert len(tested) == 2 and not tested & heard(fold, emotion.speaker, emotion.split)
        chosen_by = [set(table.speaker[fold.parts(table.split) == "val"]) for table in (emotion, affect)]
        assert chosen_by[0] == chosen_by[1]
    assert (
        "pretrain.per_fold: the emotion role has the folds of the affect role; manifest.emotion.split is unused"
        in capsys.readouterr().out
    )


def test_check_shows_the_folds(project, monkeypatch, capsys):
    run(monkeypatch, "--check", **TWICE, **PER_FOLD)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines.count("1 8 2 2 2 2 2") == 2  # fold, clips, speakers, four classes: alike in both roles
    assert not clips.FOLDER.exists()


@settings(deadline=None, derandomize=True, database=None)
@given(
    homes=st.lists(st.sampled_from(["2", "5", "7", "9"]), min_size=8, max_size=20),
    sizes=st.lists(st.integers(0, 40), min_size=24, max_size=24),
    rated=st.sets(st.integers(0, 23), min_size=12),
)
def test_no_emotion_model_knows_whom_its_fold_tests(homes, sizes, rated):
    """Whoever is in which role, with how many clips: nobody tested by VA fold k is heard by emotion models k."""
    folds = dict(enumerate([*homes, "2", "5", "7", "9"]))
    affect = [clip(f"a{i}", f"S{i:02}") for i in folds if i in rated]
    part_of = {f"a{i}": folds[i] for i in folds if i in rated}
    emotion = [clip(f"e{i}-{n}", f"S{i:02}") for i, size in enumerate(sizes) for n in range(size)]
    try:
        found = per_fold.follow(emotion, affect, part_of)
    except ValueError as error:
        assert any(reason in str(error) for reason in ("no speaker is in both roles", "has a clip with an emotion"))
        return
    parts = {"emotion": found, "affect": part_of}
    disjoint.between_folds({"emotion": emotion, "affect": affect}, parts)
    assert found == per_fold.follow(emotion[::-1], affect[::-1], part_of)
    known, split = (pd.Series(values) for values in ({c.id: c.speaker for c in emotion}, found))
    for fold in cyclic(part_of):
        tested = {one.speaker for one in affect if part_of[one.id] == str(fold.test)}
        assert not tested & heard(fold, known, split)


def test_speakers_without_ratings_fill_the_lightest_folds():
    affect = [clip(f"a{k}", f"S{k}") for k in (1, 2, 3)]
    part_of = {f"a{k}": str(k) for k in (1, 2, 3)}
    sizes = {"S1": 9, "S2": 3, "S3": 3, "X": 10, "Y": 1, "Z": 1}
    emotion = [clip(f"{name}{i}", name) for name, size in sizes.items() for i in range(size)]
    found = per_fold.follow(emotion, affect, part_of)
    # weights 16, 4, 4; X (16) to fold 2, then Y and Z (2 each) to fold 3
    assert {one.speaker: found[one.id] for one in emotion} == {
        **{"S1": "1", "S2": "2", "S3": "3"},
        **{"X": "2", "Y": "3", "Z": "3"},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Ses01F": "2"}, r"VA fold 1 tests Ses01F \(1 in all\), whom the emotion models .*put each speaker into the"),
        ({"Ses02F": "3", "Ses02M": "1", "Ses03F": "2"}, r"fold 2 tests Ses02F, Ses02M \(2 in all\)"),
        ({"Ses03F": "4", "Ses03M": "4"}, r"the folds of the roles differ \(3, 4 is in one role only\)"),
    ],
)
def test_a_wrong_split_is_refused(project, monkeypatch, change, message):
    """The manifest does not take per_fold.follow at its word."""
    follow = per_fold.follow

    def wrong(emotion, affect, part_of):
        found = follow(emotion, affect, part_of)
        return {one.id: change.get(one.speaker, found[one.id]) for one in emotion}

    monkeypatch.setattr(per_fold, "follow", wrong)
    monkeypatch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
    with pytest.raises(ValueError, match=message):
        run(monkeypatch, **TWICE, **PER_FOLD)
    assert not clips.FOLDER.exists()


def test_a_wrong_split_of_what_is_left_is_refused(project, monkeypatch):
    """Folds are made and checked again when damaged clips have left."""
    follow = per_fold.follow

    def wrong_in_the_end(emotion, affect, part_of):
        found = follow(emotion, affect, part_of)
        return found if len(emotion) == 24 else found | {one.id: "3" for one in emotion if one.speaker == "Ses01M"}

    monkeypatch.setattr(per_fold, "follow", wrong_in_the_end)
    wav = next((project / "data/iemocap/Session2/sentences").rglob("*.wav"))
    wav.unlink()
    (project / "data/iemocap/Session2/dialog/avi/DivX/Ses02F_impro01.avi").write_bytes(b"")
    with pytest.raises(ValueError, match=r"VA fold 1 tests Ses01M \(1 in all\)"):
        run(monkeypatch, **TWICE, **PER_FOLD, manifest__max_rejected=0.9)
    assert not clips.FOLDER.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"no speaker is in both roles, so all folds can use the same emotion models; set pretrain\.per_fold: f"),
        (
            {"corpora__affect": OWN, "corpora__emotion": OWN, "manifest__affect__split": "given"},
            "are trained in folds; use",
        ),
        ({"corpora__affect": OWN, "corpora__emotion": OWN, "manifest__affect__split": "speakers"}, "VA fold 3 has a"),
    ],
)
def test_refusals(project, monkeypatch, changes, message):
    parts = {"A": "train", "B": "val", "C": "test"}
    rows = [f"{name},{name}.wav,,{'' if name == 'C' else 'e'},1,1,{name},,,,{parts[name]}" for name in parts]
    own(project / "data/own", rows, "id,audio,video,emotion,valence,arousal,speaker,dialogue,start,end,split")
    monkeypatch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
    with pytest.raises(ValueError, match=message):
        run(monkeypatch, **{"manifest__csv__scale": [1, 5]}, **PER_FOLD, **changes)


def test_recordings_under_another_name_are_found(project, monkeypatch):
    """Two tables of the same files: refused without per_fold, and with it where a voice has two names in two folds."""
    own(project / "data/own", [f"{s},{s}.wav,,e,1,1,{s},,," for s in "ABC"])
    shutil.copytree(project / "data/own", project / "data/other")
    table = project / "data/other/clips.csv"
    twice = {"corpora__emotion": OWN | {"root": "data/other"}, "corpora__affect": OWN, "manifest__csv__scale": [1, 5]}
    twice |= {"manifest__affect__split": "speakers"}
    table.write_text(
        table.read_text().replace(",1,1,A,", ",,,X,").replace(",1,1,B,", ",,,Y,").replace(",1,1,C,", ",,,Z,")
    )
    split = {"manifest__emotion__split": "actor", "manifest__emotion__actors": {"val": ["Y"], "test": ["Z"]}}
    with pytest.raises(ValueError, match=r"A \(emotion\) and A \(affect\) are the same .*pretrain\.per_fold: true, or"):
        run(monkeypatch, **twice, **split)
    table.write_text(table.read_text().replace("Z", "C"))
    # C is known by name; X and Y go to folds 1 and 2 in the order of their names, where A and B are
    run(monkeypatch, **twice, **PER_FOLD)
    assert labels.read("emotion").set_index("id").split.to_dict() == {"A": "1", "B": "2", "C": "3"}
    table.write_text(table.read_text().replace("X", "Yes"))
    with pytest.raises(
        ValueError, match=r"A \(emotion, fold 2\) and A \(affect, fold 1\) are the same recording, so .*al"
    ):
        run(monkeypatch, **twice, **PER_FOLD)
