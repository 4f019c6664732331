"""Scores of the stills beside those of emotion: by hand, in metrics and report, and none without the role faces."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from results_toys import detail, facts, make_frames, plot, run, table, write

from avemotion.formats import labels

CLASSES = ["closed", "open"]
TRUTH = ["closed", "closed", "closed", "open"]
PREDICTED = ["closed", "closed", "open", "open"]


@pytest.fixture(scope="module")
def with_stills(evaluated, tmp_path_factory):
    """(what was there without the role, the project after evaluate and report with it)."""
    root = tmp_path_factory.mktemp("stills") / "project"
    shutil.copytree(evaluated, root)
    before = {
        file.relative_to(root): file.read_bytes() for folder in ("metrics", "plots") for file in files(root / folder)
    }
    rows = [("t1", "train", "open"), ("t2", "train", "open"), ("t3", "train", "closed"), ("v1", "val", "open")]
    rows += [(f"x{i}", "test", label) for i, label in enumerate(TRUTH)]
    known = [{"id": i, "split": split, "label": label, "emotion": label, "speaker": i} for i, split, label in rows]
    of = facts("faces", corpus="drawn", classes=CLASSES)
    labels.write("faces", known, of, root / "data/manifest")
    make_frames(root / "data/features", "faces", [i for i, _, _ in rows])
    told = pd.DataFrame(rows[3:], columns=["id", "split", "label"]).assign(predicted=["closed", *PREDICTED])
    for name in CLASSES:
        told[f"p_{name}"] = np.where(told["predicted"] == name, 0.9, 0.1)
    write(root / "data/models/pretrain_face/predictions.csv", told)
    return before, run(root, "emotion", "report")


def files(folder):
    return [file for file in folder.rglob("*") if file.is_file()]


def test_scores_by_hand(with_stills):
    scores = detail(with_stills[1], "emotion")["faces"]
    test = scores["test"]
    # Recalls 2/3 and 1; F1 4/5 and 2/3.
    assert test["accuracy"] == pytest.approx(3 / 4) and test["uar"] == pytest.approx(5 / 6, abs=1e-6)
    assert test["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2, abs=1e-6)
    assert test["uar_low"] < test["uar"] < test["uar_high"] == 1
    assert scores["val"] == {"accuracy": 0, "uar": 0, "macro_f1": 0, "pictures": 1}
    assert (scores["majority"], scores["chance"], scores["pictures"]) == (1 / 4, 1 / 2, 4)  # always open
    assert scores["recall"] == pytest.approx({"closed": 2 / 3, "open": 1}, abs=1e-6)
    headline = json.loads((with_stills[1] / "metrics/emotion.json").read_text())
    assert headline["faces"] == {"test": {name: test[name] for name in ("accuracy", "uar", "macro_f1")}}


def test_the_report_shows_them_with_their_pictures(with_stills):
    page = (with_stills[1] / "plots/report.html").read_text()
    assert "4 test pictures of drawn; 95 % intervals by bootstrap over single pictures" in page
    assert "True and predicted emotion of every test picture." in page
    confused = table(with_stills[1], "stills_confusion")
    assert confused["actual"].tolist() == TRUTH and confused["predicted"].tolist() == PREDICTED
    assert plot(with_stills[1], "stills_confusion.png").stat().st_size > 5000


def test_nothing_else_changes(with_stills):
    """All other scores and pictures of emotion; without the role, nobody speaks of stills."""
    before, root = with_stills
    scores = detail(root, "emotion")
    del scores["faces"]
    assert scores == json.loads(
        next(text for path, text in before.items() if path.parts[-2:] == ("detail", "emotion.json"))
    )
    names = {path.name for path in before}
    assert {file.name for file in files(root / "plots")} - names == {"stills_confusion.csv", "stills_confusion.png"}
    same = [path for path in before if path.parts[:2] == ("plots", "emotion")]
    assert len(same) > 8 and all((root / path).read_bytes() == before[path] for path in same)
    page = next(text.decode() for path, text in before.items() if path.name == "report.html")
    assert "still" not in page and b"faces" not in before[next(p for p in before if p.name == "emotion.json")]


def test_other_pictures_than_those_of_the_manifest_are_refused(with_stills):
    root = with_stills[1]
    file = root / "data/models/pretrain_face/predictions.csv"
    write(file, pd.read_csv(file).iloc[:-1])
    with pytest.raises(ValueError, match=r"pretrain_face/predictions.csv: not the test rows of labels.csv: 1 missing"):
        run(root, "emotion")
