"""Errors of the system as one line, and stages that end with the process that started them."""

import errno
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
from faults import alive, disk_full, until
from project_params import REPO, SERIAL

from avemotion.system import cli
from avemotion.system.workers import parallel, progress


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


def exhausted():
    np.empty(1 << 50)


def exhausted_by_torch():
    import torch

    torch.empty(1 << 50)


def wrapped():
    try:
        exhausted()
    except MemoryError as error:
        raise ValueError("model.json: damaged") from error


@pytest.mark.parametrize("lack", [exhausted, exhausted_by_torch, wrapped])
def test_a_lack_of_memory_is_one_line_with_the_params_to_lower(lack):
    with pytest.raises(SystemExit) as ended:
        cli.run(lack, memory="fusion.batch_size")
    line = str(ended.value.code)
    assert line.startswith("error: memory is too small (") and "\n" not in line
    assert "; lower fusion.batch_size, and run again; finished work is kept" in line


def test_a_lack_of_memory_on_the_gpu():
    import torch

    def main():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has 1 GiB")

    with pytest.raises(SystemExit) as ended:
        cli.run(main, memory="fusion.batch_size")
    reason = "CUDA out of memory. Tried to allocate 2.00 GiB."
    line = f"error: the GPU's memory is too small ({reason}); lower fusion.batch_size, and run again"
    assert str(ended.value.code).startswith(line)


def test_a_lack_of_memory_in_a_worker_process():
    units, two = [1 << 50] * 4, replace(SERIAL, workers=2)
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda: list(parallel(np.empty, units, two, "units")), memory="compute.workers")
    assert "memory is too small" in str(ended.value.code) and "lower compute.workers" in str(ended.value.code)


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


def test_a_stage_that_may_not_write_says_so_in_one_line(tmp_path):
    """The whole way, as DVC starts it."""
    (tmp_path / "data").write_text("a file where the folder should be")
    command = [sys.executable, "-m", "stages.sample", "--params", str(REPO / "params.yaml")]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: data/work/locks: Not a directory; correct this and run again")
