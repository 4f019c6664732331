"""Corpora of still pictures: folders named by emotion, and FER-2013's table."""

import pytest
from corpus_trees import by_id, reasons, touch

from avemotion.corpora import fer2013, images


def test_folders_name_emotions_and_parts(tmp_path):
    touch(
        tmp_path, "train/happy/a.jpg", "train/sad/deep/b.PNG", "valid/happy/c.jpeg", "test/sad/a.jpg", "test/notes.txt"
    )
    touch(tmp_path, "train/lost.jpg", "elsewhere/happy/d.jpg", "train/happy/a.png", "train/happy/.hidden.jpg")
    (tmp_path / "test/empty").mkdir()
    clips, rejects = images.list_clips(tmp_path, None)
    found = by_id(clips)
    assert {name: (clip.emotion, clip.part, clip.video) for name, clip in found.items()} == {
        "test_sad_a": ("sad", "test", "test/sad/a.jpg"),
        "train_happy_a": ("happy", "train", "train/happy/a.jpg"),
        "train_sad_deep_b": ("sad", "train", "train/sad/deep/b.PNG"),
        "valid_happy_c": ("happy", "val", "valid/happy/c.jpeg"),
    }
    assert all(clip.speaker == name and clip.audio is None for name, clip in found.items())
    assert reasons(rejects) == {
        "elsewhere/happy": "folder without a picture: elsewhere/happy",
        "elsewhere/happy/d.jpg": "not in a folder of train, val or test and one of an emotion",
        "test/empty": "folder without a picture: test/empty",
        "train/happy/a.png": "double: the name is used by train/happy/a.jpg",
        "train/lost.jpg": "not in a folder of train, val or test and one of an emotion",
    }


def test_without_parts_the_first_folder_is_the_emotion(tmp_path):
    touch(tmp_path, "joy/a.jpg", "joy/more/b.jpg", "c.jpg")
    (tmp_path / "fear").mkdir()
    clips, rejects = images.list_clips(tmp_path, None)
    assert [(clip.emotion, clip.part) for clip in clips] == [("joy", None), ("joy", None)]
    assert reasons(rejects) == {"c.jpg": "not in a folder of an emotion", "fear": "folder without a picture: fear"}


def test_folders_of_fer2013_get_the_projects_words(tmp_path):
    touch(tmp_path, "train/fear/a.jpg", "train/Surprise/b.jpg", "test/neutral/c.jpg", "test/contempt/d.jpg")
    clips, rejects = fer2013.list_clips(tmp_path, None)
    assert [clip.emotion for clip in clips] == ["neutral", "surprised", "fearful"]
    assert reasons(rejects) == {"test/contempt/d.jpg": "its folder is no emotion of this corpus: contempt"}


@pytest.mark.parametrize(
    ("name", "header"), [("fer2013.csv", "emotion,pixels,Usage"), ("icml_face_data.csv", "emotion, Usage, pixels")]
)
def test_the_table_of_fer2013(tmp_path, name, header):
    order = [column.strip() for column in header.split(",")]
    rows = [("3", "Training"), ("6", "PublicTest"), ("0", "PrivateTest"), ("7", "Training"), ("1", "Other")]
    lines = [",".join({"emotion": e, "Usage": u, "pixels": "1 2 3 4"}[column] for column in order) for e, u in rows]
    (tmp_path / name).write_text("\n".join([header, *lines]) + "\n")
    clips, rejects = fer2013.list_clips(tmp_path, None)
    assert {clip.id: (clip.emotion, clip.part, clip.video) for clip in clips} == {
        "test_00003": ("angry", "test", f"{name}/3"),
        "train_00001": ("happy", "train", f"{name}/1"),
        "val_00002": ("neutral", "val", f"{name}/2"),
    }
    assert list(reasons(rejects)) == [f"{name}/4", f"{name}/5"]


def test_a_table_of_other_columns_is_refused(tmp_path):
    (tmp_path / "fer2013.csv").write_text("emotion,image\n1,2\n")
    with pytest.raises(ValueError, match="no column Usage, pixels"):
        fer2013.list_clips(tmp_path, None)


def test_counts_of_a_whole_copy():
    whole = fer2013.whole(None)
    assert whole.clips == sum(whole.groups["emotion"].values()) == 35887
