"""The role faces in the manifest: parts, copies, refusals, and no role at all."""

import numpy as np
import pytest
from manifest_toys import run
from PIL import Image

from avemotion.formats import clips, labels
from avemotion.manifest import splits
from avemotion.params.manifest import FacesParams
from avemotion.parsing.clip import Clip

STILLS = {"corpora__faces": {"name": "images", "root": "data/stills"}, "manifest__max_rejected": 0.0}


def picture(file, key):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(key).integers(0, 256, (48, 48), np.uint8)).save(file)


@pytest.fixture
def stills(project):
    root = project / "data/stills"
    for k, emotion in enumerate(("happy", "sad")):
        for i in range(10):
            picture(root / f"train/{emotion}/{i}.png", 100 * k + i)
        picture(root / f"test/{emotion}/x.png", 100 * k + 50)
    return root


def test_the_corpus_has_its_parts_and_validation_comes_from_training(stills, monkeypatch, capsys):
    run(monkeypatch, **STILLS)
    table, facts = labels.read("faces"), labels.read_facts("faces")
    assert table.groupby(["split", "label"]).size().to_dict() == {
        ("train", "happy"): 8, ("train", "sad"): 8, ("val", "happy"): 2, ("val", "sad"): 2,
        ("test", "happy"): 1, ("test", "sad"): 1,
    }  # fmt: skip
    assert (facts.corpus, facts.classes, facts.speakers, facts.speaker_overlap) == (
        "images",
        ["happy", "sad"],
        22,
        False,
    )
    rows = clips.read("faces")
    assert all(row.audio is None and row.duration == 0 and row.video_hash for row in rows)
    assert labels.read_facts("emotion").corpus == "ravdess"
    assert "faces: images, 22 clips" in capsys.readouterr().out


def test_of_the_same_picture_the_tested_copy_stays(stills, monkeypatch):
    picture(stills / "train/sad/copy.bmp", 50)  # the pixels of test/happy/x.png, under another emotion
    picture(stills / "train/sad/twin.png", 103)  # of train/sad/3.png
    run(monkeypatch, **STILLS)
    rejected = (clips.FOLDER / "faces/rejected.csv").read_text().splitlines()[1:]
    assert rejected == [
        "train/sad/copy.bmp,the same picture as another clip: test/happy/x.png",
        "train/sad/twin.png,the same picture as another clip: train/sad/3.png",
    ]
    assert {"test_happy_x", "train_sad_3"} <= set(labels.read("faces")["id"])


def test_damaged_pictures_are_rejected_with_a_reason(stills, monkeypatch):
    (stills / "train/happy/3.png").write_bytes(b"not a picture")
    (stills / "train/sad/0.png").write_bytes(b"")
    run(monkeypatch, **STILLS | {"manifest__max_rejected": 0.2})
    rejected = (clips.FOLDER / "faces/rejected.csv").read_text()
    assert "train/happy/3.png,cannot be read as a picture: UnidentifiedImageError" in rejected
    assert "train/sad/0.png,empty file" in rejected


def test_a_picture_of_a_tested_person_is_refused(stills, project, monkeypatch):
    film = next((project / "data/ravdess").rglob("02-*.mp4"))
    still = stills / "train/happy/film.mp4"
    still.write_bytes(film.read_bytes())
    table = "id,video,emotion,speaker\n" + "".join(
        f"{i},train/{e}/{i % 10}.png,{e},p{i}\n" for i, e in enumerate(["happy", "sad"] * 5)
    )
    (stills / "clips.csv").write_text(table + "f,train/happy/film.mp4,happy,q\n")
    with pytest.raises(ValueError, match=r"f \(faces\) and 01-.* \(emotion\) are the same recording, so pretrain_face"):
        run(monkeypatch, **STILLS | {"corpora__faces": {"name": "csv", "root": "data/stills"}})
    with pytest.raises(ValueError, match=r"corpora\.faces and corpora\.emotion are both ravdess and share speakers"):
        run(monkeypatch, **STILLS | {"corpora__faces": {"name": "ravdess", "root": "data/ravdess"}})


def test_without_the_role_its_tables_are_empty(project, monkeypatch, capsys):
    run(monkeypatch)
    assert labels.read_facts("faces").absent and clips.read("faces") == []
    assert "faces: corpora.faces names no corpus" in capsys.readouterr().out


def test_check_lists_the_pictures(stills, monkeypatch, capsys):
    run(monkeypatch, "--check", **STILLS)
    assert "22 clips of use as faces" in capsys.readouterr().out


def clip(name, speaker=None, part=None, emotion="happy"):
    return Clip(id=name, speaker=speaker or name, gender=None, emotion=emotion, part=part)


def test_held_out_speakers_are_whole_and_a_share_of_each_emotion():
    given = [clip(f"{e}{i}", f"{e}{i // 2}", emotion=e) for e in ("a", "b") for i in range(40)]
    part_of = splits.assign("faces", given, FacesParams(held_out=0.1), 0)
    for emotion in ("a", "b"):
        parts = [part_of[c.id] for c in given if c.emotion == emotion]
        assert [parts.count(part) for part in ("train", "val", "test")] == [32, 4, 4]
    assert all(len({part_of[c.id] for c in given if c.speaker == s}) == 1 for s in {c.speaker for c in given})
    assert part_of != splits.assign("faces", given, FacesParams(held_out=0.1), 1)
    with pytest.raises(ValueError, match=r"manifest\.faces\.held_out is 0\.1 and leaves val, test empty"):
        splits.assign("faces", given[:4], FacesParams(held_out=0.1), 0)


def test_parts_of_the_corpus_are_kept():
    given = [clip("a", part="val"), clip("b", part="test"), clip("c", part="train"), clip("d")]
    assert splits.assign("faces", given, FacesParams(held_out=0.4), 0) == {
        "a": "val", "b": "test", "c": "train", "d": "train",
    }  # fmt: skip


def test_an_empty_folder_of_an_emotion_is_named(stills, monkeypatch, capsys):
    (stills / "train/angry").mkdir()
    for arguments in (("--check",), ()):
        run(monkeypatch, *arguments, **STILLS)
        assert "folder without a picture: train/angry" in capsys.readouterr().out
    assert "train/angry,folder without a picture: train/angry" in (clips.FOLDER / "faces/rejected.csv").read_text()


def test_an_emotion_without_training_pictures_is_warned_of(stills, monkeypatch, capsys):
    picture(stills / "test/angry/only.png", 999)
    (stills / "train/angry").mkdir()
    run(monkeypatch, "--check", **STILLS)
    assert "warning: the training clips lack angry" in capsys.readouterr().out
