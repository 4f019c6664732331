"""One model a fold in the emotion stages: who tests, who validates, and that a kill loses no finished fold."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from faults import content, disk_full
from project_params import SERIAL
from results_toys import facts

from avemotion.training.common import folds


def test_every_fold_tests_once_and_validates_once():
    plan = folds.plan(facts("emotion", folds=[1, 2, 3, 4]))
    assert [(fold.test, fold.val) for fold in plan] == [(1, 2), (2, 3), (3, 4), (4, 1)]
    split = pd.Series(["1", "2", "3", "4", "1"])
    assert list(plan[0].parts(split)) == ["test", "val", "train", "train", "test"]
    assert list(plan[3].parts(split)) == ["val", "train", "train", "test", "val"]
    partners = facts("emotion", folds=[1, 2, 3, 4], validates={"1": 2, "2": 1, "3": 4, "4": 3})
    assert [(fold.test, fold.val) for fold in folds.plan(partners)] == [(1, 2), (2, 1), (3, 4), (4, 3)]
    with pytest.raises(ValueError, match="2 folds, but test, validation and training need 3"):
        folds.plan(facts("emotion", folds=[1, 2]))


def test_finished_folds_survive_a_kill(tmp_path):
    plan, trained = folds.plan(facts("emotion", folds=[1, 2, 3])), []

    def train(fold, folder, fails=None):
        if fold.test == fails:
            (folder / "half").write_text("written")
            raise KeyboardInterrupt
        trained.append(fold.test)
        (folder / "model").write_text(str(fold.test))

    work, out = tmp_path / "work", tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        folds.train_all(lambda *unit: train(*unit, fails=2), plan, "key", work, out, SERIAL)
    assert trained == [1] and not out.exists()
    folds.train_all(train, plan, "key", work, out, SERIAL)
    assert trained == [1, 2, 3]
    found = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert found == {f"fold_{k}/model": str(k) for k in (1, 2, 3)}
    assert not work.exists()
    folds.train_all(train, plan, "another key", work, out, SERIAL)
    assert trained == [1, 2, 3, 1, 2, 3]


def test_a_model_without_folds_survives_too(tmp_path, monkeypatch):
    """Trained, but its place is on a full disk; then the state of its training is deleted with the rest."""
    work, out, trained = tmp_path / "work", tmp_path / "out", []

    def train(folder):
        trained.append(len(trained))
        (folder / "model").write_text(str(trained))
        folder.with_suffix(folds.EPOCH).write_text("state")

    with monkeypatch.context() as patch:
        patch.setattr(folds.shutil, "copytree", raising(disk_full()))
        with pytest.raises(OSError, match="No space left"):
            folds.train_whole(train, "key", work, out)
    assert content(work) == {"key/model/model": "[0]"} and not out.exists()
    folds.train_whole(train, "key", work, out)
    assert trained == [0] and content(tmp_path) == {"out/model": "[0]"}
    folds.train_whole(train, "key", work, out)
    assert trained == [0, 1] and content(tmp_path) == {"out/model": "[0, 1]"}


def raising(error):
    def function(*arguments, **options):
        raise error

    return function


def test_one_fold_alone_leaves_the_others_and_is_not_trained_twice(tmp_path):
    plan, trained = [folds.Fold(test=1, val=2), folds.Fold(test=2, val=3), folds.Fold(test=3, val=1)], []

    def train(fold, folder):
        trained.append(fold.test)
        (folder / "model").write_text(f"{fold.test} {len(trained)}")

    work, out = tmp_path / "work", tmp_path / "out"
    folds.train_all(train, plan, "key", work, out, SERIAL)
    before = content(out)
    folds.train_alone(train, plan, 2, work / "new", out)
    assert content(out) == before | {"fold_2/model": "2 4"}
    folds.train_all(train, plan, "new", work, out, SERIAL)
    assert trained == [1, 2, 3, 2, 1, 3] and content(out)["fold_2/model"] == "2 4"
    with pytest.raises(ValueError, match="--fold is 7; the folds are 1, 2, 3"):
        folds.train_alone(train, plan, 7, work / "new", out)


def test_the_key_follows_what_folds_depend_on(tmp_path):
    text, array = tmp_path / "in" / "labels.csv", tmp_path / "in" / "deep" / "frames.npy"
    array.parent.mkdir(parents=True)
    text.write_text("a")
    array.write_bytes(b"1234")

    def key(*parts):
        return folds.key_of(parts, [tmp_path / "in", Path("absent")])

    keys = [key(1, "x"), key(1, "y"), key("1", "x")]
    assert key(1, "x") == keys[0]
    text.write_text("b")
    keys.append(key(1, "x"))
    array.write_bytes(b"12345")
    keys.append(key(1, "x"))
    (tmp_path / "in" / "new").write_text("")
    keys.append(key(1, "x"))
    assert len(set(keys)) == len(keys)


def train(trained, fold, folder):
    trained.append(fold.name)
    (folder / "model").write_text(fold.name)


def test_folds_survive_a_full_disk_while_they_move_to_their_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan, trained, copytree = folds.plan(facts("emotion", folds=[1, 2, 3])), [], folds.shutil.copytree

    def full(source, target):
        if source.name == "fold_2":
            raise disk_full()
        return copytree(source, target)

    def run():
        folds.train_all(partial(train, trained), plan, "key", Path("work"), Path("out"), SERIAL)

    with monkeypatch.context() as patch:
        patch.setattr(folds.shutil, "copytree", full)
        with pytest.raises(OSError, match="No space left"):
            run()
    run()
    assert trained == ["fold_1", "fold_2", "fold_3"]
    assert content(tmp_path) == {f"out/fold_{k}/model": f"fold_{k}" for k in (1, 2, 3)}
