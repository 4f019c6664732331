"""AffectNet in both of its layouts."""

import numpy as np
import pytest
from corpus_trees import by_id, reasons, touch
from manifest_toys import run
from PIL import Image

from avemotion.corpora import affectnet
from avemotion.formats import labels
from avemotion.parsing import registry

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def annotate(root, stem, expression, valence, arousal):
    """Three arrays of one element; text, as in the published copy, or numbers."""
    root.mkdir(parents=True, exist_ok=True)
    for kind, value in (("exp", expression), ("val", valence), ("aro", arousal)):
        if value is not None:
            np.save(root / f"{stem}_{kind}.npy", np.array(value))
    np.save(root / f"{stem}_lnd.npy", np.zeros(136))


@pytest.fixture
def folders(tmp_path):
    train, val = tmp_path / "train_set/annotations", tmp_path / "val_set/annotations"
    annotate(train, "0", "1", "0.785714", "-0.0555")
    annotate(train, "1", 7, -0.5, 0.25)
    annotate(train, "2", "0", "-2", "-2")
    annotate(val, "0", "4", "-0.1", "0.9")
    touch(tmp_path, *(f"train_set/images/{i}.jpg" for i in range(3)), "val_set/images/0.jpg")
    return tmp_path


def test_annotations_beside_the_pictures(folders):
    clips, rejects = affectnet.list_clips(folders, None)
    found = {name: (of.emotion, of.valence, of.arousal, of.part, of.video) for name, of in by_id(clips).items()}
    assert found == {
        "test_0": ("fearful", -0.1, 0.9, "test", "val_set/images/0.jpg"),
        "train_0": ("happy", 0.785714, -0.0555, "train", "train_set/images/0.jpg"),
        "train_1": ("contempt", -0.5, 0.25, "train", "train_set/images/1.jpg"),
        "train_2": ("neutral", None, None, "train", "train_set/images/2.jpg"),
    }
    assert rejects == [] and all(of.speaker == of.id for of in clips)


def test_annotations_and_pictures_without_each_other_are_listed(folders):
    train = folders / "train_set/annotations"
    annotate(train, "3", "2", "0", "0")
    annotate(train, "4", "2", "0", None)
    annotate(train, "5", "8", "0", "0")
    annotate(train, "6", "11", "0", "0")
    annotate(train, "7", "3", "1.5", "0")
    (train / "8_exp.npy").write_bytes(b"not an array")
    np.save(train / "9_exp.npy", np.zeros(2))
    touch(folders, *(f"train_set/images/{i}.jpg" for i in (4, 5, 6, 7, 8, 9, 10)), "elsewhere/a.jpg")
    clips, rejects = affectnet.list_clips(folders, None)
    assert len(clips) == 4
    assert reasons(rejects) == {
        "train_set/annotations/4_exp.npy": "annotation missing: 4_aro.npy",
        "train_set/annotations/5_exp.npy": "none of the eight emotions: none",
        "train_set/annotations/6_exp.npy": "expression is none of the ids from 0 to 10: 11",
        "train_set/annotations/7_exp.npy": "valence or arousal outside -1 to 1: 1.5",
        "train_set/annotations/8_exp.npy": "annotation is no number: 8_exp.npy",
        "train_set/annotations/9_exp.npy": "annotation is no number: 9_exp.npy",
        "train_set/images/10.jpg": "picture without annotation",
        "train_set/images/3.jpg": "missing: the face is not used",
    }


def line(path, expression, valence, arousal):
    return f"{path},12,12,80,80,{';'.join(['1.5'] * 136)},{expression},{valence},{arousal}"


TRAINING = [
    line("1/aa.jpg", 6, -0.4, 0.6),
    line("1/ab.JPG", 3, 0.1, 0.7),
    line("2/ac.png", 8, 0.0, 0.1),
    line("2/ad.jpg", 9, -2, -2),
    "2/ae.jpg,NULL,NULL,NULL,NULL,NULL,10,-2,-2",
    "2/af.jpg,12,12",
    line("1/aa.jpg", 6, -0.4, 0.6),
]


@pytest.mark.parametrize("header", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("above", ["", "Manually_Annotated/"])
def test_tables_name_the_pictures(tmp_path, header, above):
    lists = tmp_path / f"{above}Manually_Annotated_file_lists"
    lists.mkdir(parents=True)
    (lists / "training.csv").write_text("\n".join([HEADER, *TRAINING]) + "\n")
    first = [HEADER] * header
    (lists / "validation.csv").write_text("\n".join([*first, line("7/zz.jpg", 5, -0.7, 0.3), ""]))
    at = f"{above}Manually_Annotated_Images"
    touch(
        tmp_path, *(f"{at}/{name}" for name in ("1/aa.jpg", "1/ab.JPG", "2/ac.png", "2/ad.jpg", "2/ae.jpg", "7/zz.jpg"))
    )
    clips, rejects = affectnet.list_clips(tmp_path, None)
    found = {name: (of.emotion, of.valence, of.arousal, of.part, of.video) for name, of in by_id(clips).items()}
    assert found == {
        "test_zz": ("disgust", -0.7, 0.3, "test", f"{at}/7/zz.jpg"),
        "train_aa": ("angry", -0.4, 0.6, "train", f"{at}/1/aa.jpg"),
        "train_ab": ("surprised", 0.1, 0.7, "train", f"{at}/1/ab.JPG"),
    }
    table = f"{above}Manually_Annotated_file_lists/training.csv"
    assert reasons(rejects) == {
        f"{table}:4": "none of the eight emotions: none",
        f"{table}:5": "none of the eight emotions: uncertain",
        f"{table}:6": "none of the eight emotions: no face",
        f"{table}:7": "row without expression, valence and arousal",
        f"{table}:8": f"double: the name is used by {at}/1/aa.jpg",
    }


def test_a_table_of_other_columns_and_a_foreign_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no train_set/annotations and no training\.csv"):
        affectnet.list_clips(tmp_path, None)
    (tmp_path / "training.csv").write_text("subDirectory_filePath,expression\na.jpg,1\n")
    with pytest.raises(ValueError, match="no column arousal, valence"):
        affectnet.list_clips(tmp_path, None)


def test_the_role_faces_takes_it_with_its_ratings(project, monkeypatch, capsys):
    """Validation comes from the training pictures, the published validation set is the test part."""
    root = project / "data/affectnet"
    rng = np.random.default_rng(0)
    for folder, each in (("train_set", 5), ("val_set", 1)):
        (root / folder / "images").mkdir(parents=True)
        for i in range(8 * each):
            annotate(root / folder / "annotations", str(i), str(i % 8), "0.5", "-0.25")
            Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(root / f"{folder}/images/{i}.jpg")
    run(monkeypatch, corpora__faces={"name": "affectnet", "root": "data/affectnet"})
    table, facts = labels.read("faces"), labels.read_facts("faces")
    assert table.groupby(["split", "label"]).size().unstack().to_dict("index") == {
        part: dict.fromkeys(sorted(affectnet.EMOTIONS), count)
        for part, count in (("train", 4), ("val", 1), ("test", 1))
    }
    assert facts.classes == list(affectnet.EMOTIONS) and facts.scale["valence"] == [-1, 1]
    assert set(table["valence"]) == {0.5} and set(table["arousal"]) == {-0.25}
    assert "affectnet" not in registry.with_ratings()
    with pytest.raises(ValueError, match=r"corpora\.affect\.name is affectnet, which has no sound; use iemocap,"):
        run(monkeypatch, corpora__affect={"name": "affectnet", "root": "data/affectnet"})
