"""Kills, full disks, folders that refuse writes and two runs at once: what was there stays, what comes is whole."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from avemotion.extraction.last_run import LastRun
from avemotion.formats import feature_store
from avemotion.system import cli, outputs, tables
from avemotion.params.shared.compute import ComputeParams
from avemotion.system.compute import parallel, progress
from avemotion.training.common import checkpoint, folds, live_curves

resource = pytest.importorskip("resource", reason="limits of file size, as stand-in for a full disk, are Unix's")
REPO = Path(__file__).resolve().parents[1]
SERIAL = ComputeParams(device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None)


@pytest.fixture
def tiny_disk():
    """Writes beyond 1000 bytes of a file are refused by the system (EFBIG), without a file name as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def disk_full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out"
    with outputs.whole_folder(out) as folder:
        (folder / "first").write_text("1")
    with pytest.raises(OSError, match="No space left") as ended, outputs.whole_folder(out) as folder:
        (folder / "second").write_text("2")
        raise disk_full()
    assert ended.value.filename == str(out)
    assert content(tmp_path) == {"out/first": "1"}
    with outputs.whole_folder(out) as folder:
        (folder / "second").write_text("2")
    assert content(tmp_path) == {"out/second": "2"}


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    out = tmp_path / "out"
    (tmp_path / ".out.old").mkdir()
    (tmp_path / ".out.old/first").write_text("1")  # as the kill leaves it, with the new one beside it
    (tmp_path / ".out.partial").mkdir()
    with pytest.raises(KeyboardInterrupt), outputs.whole_folder(out):
        raise KeyboardInterrupt
    assert content(tmp_path) == {"out/first": "1"}


def test_a_folder_that_cannot_be_replaced_is_said_before_the_work(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != out)  # root may write everywhere
    with pytest.raises(PermissionError), outputs.whole_folder(out):
        pytest.fail("the work began")


def test_when_the_renaming_fails_the_old_folder_stays_and_the_new_one_is_not_lost(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "first").write_text("1")
    replace = Path.replace

    def busy(self, target):
        if self.name == ".out.partial":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", busy)
        with pytest.raises(OSError, match="busy"), outputs.whole_folder(out) as folder:
            (folder / "second").write_text("2")
    assert content(tmp_path) == {"out/first": "1", ".out.partial/second": "2"}


def test_files_that_belong_together_change_together(tmp_path):
    (tmp_path / "other").write_text("not ours")
    for text, fails in (("1", False), ("2", True), ("3", False)):
        try:
            with outputs.whole_files(tmp_path) as folder:
                tables.write_text(folder / "clips.csv", text)
                if fails:
                    raise disk_full()
                tables.write_text(folder / "sub/labels.csv", text)
        except OSError:
            assert fails
        written = "1" if fails else text
        assert content(tmp_path) == {"other": "not ours", "clips.csv": written, "sub/labels.csv": written}


def test_a_table_that_does_not_fit_leaves_the_earlier_one(tmp_path, tiny_disk):
    file = tmp_path / "labels.csv"
    tables.write_text(file, "short")
    with pytest.raises(OSError, match="File too large") as ended:
        tables.write_text(file, "x" * 5000)
    assert ended.value.filename == str(file) and content(tmp_path) == {"labels.csv": "short"}


def test_a_checkpoint_that_does_not_fit_is_an_error_of_the_disk(tmp_path, tiny_disk):
    out = tmp_path / "out"
    with pytest.raises(OSError, match="File too large") as ended, outputs.whole_folder(out) as folder:
        checkpoint.save(folder, torch.nn.Linear(100, 100), {})
    assert ended.value.errno == errno.EFBIG and ended.value.filename.endswith("model.safetensors")
    assert content(tmp_path) == {}


def test_features_that_do_not_fit_leave_the_earlier_ones(tmp_path, tiny_disk):
    out = tmp_path / "out"
    rows = {"clean": {"rows": np.zeros((5, 2), np.float32)}}
    feature_store.write(out, ["clean"], [("a", rows)], {})
    many = {"clean": {"rows": np.zeros((5000, 2), np.float32)}}
    with pytest.raises(OSError, match="File too large"):
        feature_store.write(out, ["clean"], [("a", many)], {})
    feature_store.FeatureStore(out).verify()
    assert feature_store.FeatureStore(out).length("a", "rows") == 5 and sorted(
        path.name for path in tmp_path.iterdir()
    ) == ["out"]


@pytest.mark.parametrize(
    ("code", "file", "expected"),
    [
        (
            errno.ENOSPC,
            "data/models/va",
            "error: data/models/va: No space left on device; free some space and run again",
        ),
        (errno.ENOSPC, None, "error: No space left on device; free some space and run again"),
        (errno.EROFS, "plots", "error: plots: Read-only file system; correct its permissions and run again"),
        (errno.EACCES, "plots", "error: plots: Permission denied; correct its permissions and run again"),
        (errno.ENOTDIR, "data/work", "error: data/work: Not a directory; correct this and run again"),
    ],
)
def test_what_the_system_refuses_is_one_line(code, file, expected):
    def main():
        raise OSError(code, os.strerror(code), file)

    with pytest.raises(SystemExit) as ended:
        cli.run(main)
    assert str(ended.value.code).startswith(expected) and "\n" not in str(ended.value.code)


def test_the_line_does_not_end_up_behind_a_progress_bar(capsys):
    def main():
        units = progress(iter(range(5)), 5, "units")
        next(units)
        held = [units]
        held.append(held)  # as tracebacks do that know their own frame
        raise disk_full()

    with pytest.raises(SystemExit) as ended:
        cli.run(main)
    assert capsys.readouterr().err.endswith("\n")  # while the exception, and what it holds, is still there
    assert "No space left" in str(ended.value.code)


def test_an_error_of_no_file_keeps_its_traceback():
    def main():
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    with pytest.raises(ConnectionResetError):
        cli.run(main)


def test_curves_that_cannot_be_written_do_not_end_a_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file where the folder should be")
    row = {"phase": "train", "epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "val_score": 0.5, "learning_rate": 0.1}
    live_curves.write(live_curves.path("fusion"), pd.DataFrame([row]))
    assert "training goes on without these curves" in capsys.readouterr().err


def train(trained, fold, folder):
    trained.append(fold.name)
    (folder / "model").write_text(fold.name)


def test_folds_survive_a_full_disk_while_they_move_to_their_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan, trained, copytree = folds.cyclic([1, 2, 3]), [], folds.shutil.copytree

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


@pytest.mark.parametrize("text", ["", "schema: '2.0'\nstages:\n  a:\n    outs: [{pa", "[1, 2]", "stages: 3"])
def test_a_dvc_lock_or_a_list_of_the_last_run_that_was_cut_off_is_none(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(text)
    Path("last.json").write_text('{"a": {"media": "m", "rows": {"x": "0"}, "counts": {}}}')
    assert LastRun(Path(), Path("out"), {"a": "m"}).find({"a"}) == set()
    Path("last.json").write_text('{"a": {"media": "m", "ro')
    assert LastRun(Path(), Path("out"), {"a": "m"}).find({"a"}) == set()


PARENT = """
import os, time
from pathlib import Path
from avemotion.system import compute

def wait(unit):
    Path(f"worker-{os.getpid()}").touch()
    time.sleep(600)

if __name__ == "__main__":
    params = compute.ComputeParams(device="cpu", threads=1, workers=2, loader_workers=0, engine="local", address=None)
    list(compute.parallel(wait, range(4), params, "units"))
"""


def test_workers_end_with_a_killed_stage(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=environment, start_new_session=True)
    try:
        until(lambda: len(list(tmp_path.glob("worker-*"))) == 2)
        workers = [int(path.name.partition("-")[2]) for path in tmp_path.glob("worker-*")]
        assert all(map(alive, workers))
        parent.kill()
        parent.wait()
        until(lambda: not any(map(alive, workers)))
    finally:
        os.killpg(parent.pid, signal.SIGKILL) if any(map(alive, workers)) else None


def test_a_lost_worker_is_one_line():
    two = replace(SERIAL, workers=2)
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda: list(parallel(os._exit, [9] * 4, two, "units")))  # for the pool like a kill
    assert str(ended.value.code).startswith(
        "error: units: a worker process was killed; lower compute.workers if memory"
    )


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


DVC = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; from pathlib import Path; from avemotion.system import cli; "
    "cli.run(lambda: (Path('began').touch(), time.sleep(600)))"])
"""


def test_a_stage_ends_with_the_dvc_that_started_it(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(REPO), "DVC_STAGE": "fusion"}
    dvc = subprocess.Popen([sys.executable, "-c", DVC], cwd=tmp_path, env=environment)
    until((tmp_path / "began").exists)
    (stage,) = psutil.Process(dvc.pid).children()
    dvc.kill()
    dvc.wait()
    try:
        until(lambda: not alive(stage.pid))
    finally:
        stage.kill() if alive(stage.pid) else None


HOLDER = """
import sys, time
from pathlib import Path
from avemotion.system import outputs
with outputs.alone("fusion"):
    Path("held").touch()
    time.sleep(600)
"""


def test_a_second_run_waits_until_the_first_ends_or_is_killed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    first = subprocess.Popen([sys.executable, "-c", HOLDER], env=environment)
    until(Path("held").exists)
    Path("held").unlink()
    with subprocess.Popen(
        [sys.executable, "-uc", HOLDER], env=environment, stdout=subprocess.PIPE, text=True
    ) as second:
        try:
            assert second.stdout.readline() == "fusion: another process runs this stage; waiting until it ends\n"
            assert not Path("held").exists()
            first.kill()
            first.wait()
            until(Path("held").exists)
        finally:
            first.kill()
            second.kill()


def test_a_stage_that_may_not_write_says_so_in_one_line(tmp_path):
    """The whole way, as DVC starts it."""
    (tmp_path / "data").write_text("a file where the folder should be")
    command = [sys.executable, "-m", "stages.sample", "--params", str(REPO / "params.yaml")]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: data/work/locks: Not a directory; correct this and run again")
