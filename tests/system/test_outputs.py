"""Full disks, folders that refuse writes, kills and two runs at once: earlier outputs stay, new ones are whole."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import content, disk_full, until
from project_params import REPO

from avemotion.formats import feature_store
from avemotion.system import outputs, tables
from avemotion.training.common import checkpoint

resource = pytest.importorskip("resource", reason="limits of file size, as stand-in for a full disk, are Unix's")


@pytest.fixture
def tiny_disk(monkeypatch):
    """Writes beyond 1000 bytes of a file are refused by the system (EFBIG), without a file name as on a full disk."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would leave cut-off files that it reads later
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


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
