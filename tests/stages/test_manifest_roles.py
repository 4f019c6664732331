"""The manifest stage on corpora other than RAVDESS and IEMOCAP, on other splits, and its --check."""

import shutil
import sys

import corpus_trees as trees
import pandas as pd
import pytest
from manifest_toys import HEADER, OWN, own, run

from avemotion.corpora import csv
from avemotion.formats import clips, labels
from avemotion.manifest import known_media, probe
from avemotion.system import cli
from stages import manifest


def test_every_speaker_is_tested_once(project, monkeypatch, capsys):
    run(monkeypatch, manifest__emotion__split="actor_kfold")
    table, facts = labels.read("emotion"), labels.read_facts("emotion")
    assert (facts.folds, facts.split, facts.speaker_overlap) == ([1, 2, 3, 4], "actor_kfold", False)
    assert table.groupby("split").speaker.unique().map(list).to_dict() == {
        "1": ["Actor_02"],
        "2": ["Actor_01"],
        "3": ["Actor_17"],
        "4": ["Actor_21"],
    }
    first = (clips.FOLDER / "emotion/labels.csv").read_bytes()
    run(monkeypatch, manifest__emotion__split="actor_kfold", manifest__seed=9)
    assert (clips.FOLDER / "emotion/labels.csv").read_bytes() == first
    with pytest.raises(ValueError, match=r"manifest\.emotion\.folds is 6, but there are 4 speakers"):
        run(monkeypatch, manifest__emotion__split="actor_kfold", manifest__emotion__folds=6)


def test_turns_without_ratings_are_context(project, monkeypatch, capsys):
    rows = []
    for d in range(4):
        rows += [f"{d}a,{d}a.wav,,,{d + 1},2,S{d},d{d},0,1", f"{d}b,{d}b.wav,,,,,T{d},d{d},1,2"]
    rows += ["e,e.wav,,,,,U,quiet,0,1", "f,f.wav,,,,,U,,,"]
    own(project / "data/own", rows)
    changes = {
        **{"corpora__affect": OWN, "manifest__csv__scale": [1, 5], "manifest__affect__split": "speakers"},
        **{"manifest__affect__folds": 4},
    }
    run(monkeypatch, **changes)
    table, facts = labels.read("affect").set_index("id"), labels.read_facts("affect")
    assert list(table.index) == ["0a", "0b", "1a", "1b", "2a", "2b", "3a", "3b"]
    assert table.valence.notna().tolist() == table.arousal.notna().tolist() == [True, False] * 4
    assert (table.loc["0a"].split, table.loc["0a"].turn) == (table.loc["0b"].split, 0)
    assert (facts.folds, facts.scale["valence"], facts.classes) == ([1, 2, 3, 4], [1, 5], [])
    listed = pd.read_csv(clips.FOLDER / "affect/rejected.csv").set_index("path").reason.to_dict()
    assert listed == {"e.wav": "no valence or arousal: e", "f.wav": "no valence or arousal: f"}
    assert "4 turns have no valence and arousal: they are context of their dialogues" in capsys.readouterr().out


def test_sound_and_picture_from_the_same_film(project, monkeypatch):
    header, rows = "id,audio,video,emotion,speaker,split", []
    for i, part in enumerate(("train", "val", "test")):
        trees.film(project / f"films/{i}.mp4", i)
        rows.append(f"{i},{i}.mp4,{i}.mp4,happy,S{i},{part}")
    own(project / "data/own", rows, header)
    shutil.copytree(project / "films", project / "data/own", dirs_exist_ok=True)
    run(monkeypatch, corpora__emotion=OWN, manifest__emotion__split="given")
    found = clips.read("emotion")
    assert [clip.audio for clip in found] == [clip.video for clip in found] == ["0.mp4", "1.mp4", "2.mp4"]
    assert all(clip.audio_hash == clip.video_hash and clip.duration == pytest.approx(0.5, abs=0.1) for clip in found)
    assert labels.read("emotion").split.tolist() == ["train", "val", "test"]
    assert labels.read_facts("emotion").folds == []


def test_given_parts_may_share_speakers_and_say_so(project, monkeypatch, capsys):
    rows = [f"{i},{i}.wav,,happy,,,Friend,,,,{part}" for i, part in enumerate(("train", "val", "test"))]
    own(project / "data/own", rows, f"{HEADER},split")
    run(monkeypatch, corpora__emotion=OWN, manifest__emotion__split="given")
    assert labels.read_facts("emotion").speaker_overlap
    assert "manifest.emotion.split is given: speakers are in several splits" in capsys.readouterr().out


def test_a_table_may_mix_kinds_of_media(project, monkeypatch):
    rows = [f"{i},{i}.wav,,happy,,,S{i},,,,{part}" for i, part in enumerate(("train", "val", "test", "train"))]
    rows[0] = rows[0].replace(",,happy", ",film.mp4,happy")
    own(project / "data/own", rows, f"{HEADER},split")
    trees.film(project / "data/own/film.mp4", 1)
    run(monkeypatch, corpora__emotion=OWN, manifest__emotion__split="given", manifest__max_rejected=0.0)
    assert [(clip.audio, clip.video) for clip in clips.read("emotion")][:2] == [("0.wav", "film.mp4"), ("1.wav", None)]
    (project / "data/own/0.wav").unlink()
    (project / "data/own/3.wav").unlink()
    with pytest.raises(ValueError, match=r"2 of 4 clips of data/own are damaged .*2 x cannot be opened"):
        run(monkeypatch, corpora__emotion=OWN, manifest__emotion__split="given", manifest__max_rejected=0.49)
    run(monkeypatch, corpora__emotion=OWN, manifest__emotion__split="given", manifest__max_rejected=0.5)
    assert [(clip.id, clip.audio) for clip in clips.read("emotion")] == [("0", None), ("1", "1.wav"), ("2", "2.wav")]
    listed = pd.read_csv(clips.FOLDER / "emotion/rejected.csv")
    assert listed.path.tolist() == ["0.wav", "3.wav"]
    assert set(listed.reason) == {"cannot be opened: No such file or directory"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"corpora__affect": OWN},
            r"affect\.name is csv, which has no valence and arousal; state it in",
        ),
        ({"manifest__affect__split": "speakers", "manifest__affect__folds": 5}, "there are 3 groups of speakers"),
        ({"manifest__affect__split": "given"}, r"the corpus states none for 24 of 24 clips \(Ses01F_impro01_F000, "),
        ({"manifest__emotion__folds": 2}, r"manifest\.emotion\.folds is 2; testing, validating"),
        ({"corpora__emotion": OWN}, r"corpora\.emotion\.root: data/own/clips\.csv:\n  row 2: speaker is empty"),
        (
            {"corpora__emotion": {"name": "meld", "root": "data/own"}},
            r"corpora\.emotion\.root: .*no train_sent_emo\.csv",
        ),
    ],
)
def test_refusals(project, monkeypatch, changes, message):
    own(project / "data/own", ["a,a.wav,,happy,1,1,,,,"])
    monkeypatch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
    with pytest.raises(ValueError, match=message):
        run(monkeypatch, **changes)


def test_check_shows_what_is_there(project, monkeypatch, capsys):
    monkeypatch.setattr(probe, "probe", lambda *_: pytest.fail("media were opened"))
    ids = trees.ravdess_ids([1])
    (project / f"data/ravdess/Actor_01/03-{ids[0]}.wav").write_text(trees.LFS_POINTER)
    (project / f"data/ravdess/Actor_01/02-{ids[1]}.mp4").write_bytes(b"")
    run(monkeypatch, "--check")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "emotion: ravdess at data/ravdess: 32 of 1440 clips, a partial copy" in lines
    assert "emotion neutral 4 96 92" in lines and "speaker Actor_01 8 60 52" in lines
    assert "speaker Actor_03 0 60 60" in lines
    assert "files: 1 x empty; 1 x git-lfs pointer, not the media itself (git lfs pull)" in lines
    assert "affect: iemocap at data/iemocap: 24 of 10039 clips, a partial copy" in lines
    assert "session 1 8 1819 1811" in lines and "session 4 0 2103 2103" in lines
    assert "val 8 1 1 1 1 1 1 1 1 1" in lines  # split, clips, speakers, classes
    assert not clips.FOLDER.exists()


def test_check_ends_with_an_error_only_where_the_stage_would(project, monkeypatch, capsys):
    for changes, code in ({}, None), ({"corpora__emotion__root": "nowhere"}, "error: corpora.emotion.root is nowhere"):
        try:
            cli.run(lambda changes=changes: run(monkeypatch, "--check", **changes))
            assert code is None
        except SystemExit as end:
            assert str(end.code).startswith(code)


def test_the_template_is_printed(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)  # it needs no params
    monkeypatch.setattr(sys, "argv", ["manifest", "--template"])
    manifest.main()
    assert capsys.readouterr().out == csv.TEMPLATE


def test_another_split_opens_no_media(project, monkeypatch):
    monkeypatch.setattr(known_media, "TICK", 0)
    run(monkeypatch)
    before = (clips.FOLDER / "emotion/clips.csv").read_bytes()
    monkeypatch.setattr(probe, "probe", lambda *_: pytest.fail("media were opened"))
    run(monkeypatch, manifest__emotion__split="actor_kfold")
    assert (clips.FOLDER / "emotion/clips.csv").read_bytes() == before
