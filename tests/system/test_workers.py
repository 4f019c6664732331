"""Worker processes: they end with their stage, and a lost one is one line."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from faults import alive, until
from project_params import REPO, SERIAL

from avemotion.system import cli, workers
from avemotion.system.workers import parallel

PARENT = """
import os, time
from pathlib import Path
from avemotion.params.shared.compute import ComputeParams
from avemotion.system.workers import parallel

def wait(unit):
    Path(f"worker-{os.getpid()}").touch()
    time.sleep(600)

if __name__ == "__main__":
    params = ComputeParams(device="cpu", threads=1, workers=2, loader_workers=0,
                           engine="local", address=None, tensorboard=False)
    list(parallel(wait, range(4), params, "units"))
"""


def test_workers_end_with_a_killed_stage(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=environment, start_new_session=True)
    try:
        until(lambda: len(list(tmp_path.glob("worker-*"))) == 2)
        pids = [int(path.name.partition("-")[2]) for path in tmp_path.glob("worker-*")]
        assert all(map(alive, pids))
        parent.kill()
        parent.wait()
        until(lambda: not any(map(alive, pids)))
    finally:
        os.killpg(parent.pid, signal.SIGKILL) if any(map(alive, pids)) else None


def test_a_lost_worker_is_one_line():
    two = replace(SERIAL, workers=2)
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda: list(parallel(os._exit, [9] * 4, two, "units")))  # for the pool like a kill
    assert str(ended.value.code).startswith(
        "error: units: a worker process was killed; lower compute.workers if memory"
    )


@pytest.mark.parametrize(
    ("platform", "release", "folder", "cores", "expected"),
    [
        ("win32", "10", "/data", 16, 0),
        ("linux", "5.15.90.1-microsoft-standard-WSL2", "/mnt/c/corpora", 16, 0),
        ("linux", "5.15.90.1-microsoft-standard-WSL2", "/home/me/corpora", 16, 2),
        ("linux", "6.8.0", "/mnt/c/corpora", 16, 8),
        ("linux", "6.8.0", "/data", 64, 8),
        ("linux", "6.8.0", "/data", 6, 3),
        ("linux", "6.8.0", "/data", 1, 2),
    ],
)
def test_automatic_loader_workers(monkeypatch, platform, release, folder, cores, expected):
    monkeypatch.setattr(workers.sys, "platform", platform)
    monkeypatch.setattr(workers.platform, "release", lambda: release)
    monkeypatch.setattr(workers, "_cores", lambda: cores)
    assert workers.loader_workers(-1, Path(folder)) == expected
    assert workers.loader_workers(0, Path(folder)) == 0 and workers.loader_workers(3, Path(folder)) == 3
