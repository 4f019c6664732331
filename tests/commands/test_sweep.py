"""Sweeps of a toy project: results become experiments, and failures, kills and second sweeps cost nothing finished."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_project
from project_params import REPO
from toy_project import make, run

# The toy stage needs an ignored corpus, an untracked file and a new module, and waits with seed 6 while a file exists.
BEFORE = """
import os, time, pathlib, extra
assert pathlib.Path("data/corpus/clip.txt").read_text() == "clip", "no corpus"
assert pathlib.Path("inputs/noise.txt").read_text() == "noise", "no noise"
if "seed: 6" in pathlib.Path("params.yaml").read_text():
    while (hold := pathlib.Path({hold!r})).exists():
        hold.write_text(str(os.getpid()))
        time.sleep(0.1)
"""
GRID = ["-S", "fusion.mode=concat,gated,broken"]
SEEDS = ["-S", "fusion.mode=gated", "--seeds", "5-6"]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """main: xattn. The working folder has inputs and changes that are in no commit."""
    folder = make(tmp_path_factory.mktemp("sweep") / "project")
    for name, text in {
        "data/corpus/clip.txt": "clip",
        "inputs/tracked.txt": "",
        "extra.py": "",
        "stage.py": BEFORE.format(hold=str(folder.parent / "hold")) + (folder / "stage.py").read_text(),
        "dvc.yaml": toy_project.CHAIN.replace("[stage.py]", "[stage.py, extra.py, inputs, data/corpus]"),
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    run(folder, "git", "add", "extra.py", "inputs")
    (folder / "inputs/noise.txt").write_text("noise")
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "commands.sweep", *arguments]


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """A sweep that Ctrl-C interrupts, also where the tests run in the background of a shell, which ignores SIGINT."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def sweep(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def experiments(folder: Path) -> dict[str, str]:
    """Name without its digest -> commit."""
    lines = run(folder, "git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    return {line.split()[0].split("/")[-1].rpartition("-")[0]: line.split()[1] for line in lines}


@pytest.mark.slow
def test_a_grid_with_a_failing_member(project):
    before = run(project, "git", "status", "--porcelain")
    code, out, err = sweep(project, *GRID, "--jobs", "2", "--baseline", "fusion.mode=concat")
    assert code == 1, out + err
    made = experiments(project)
    assert set(made) == {"concat", "gated"}
    failed = [line for line in out.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1 and failed[0].endswith("(fusion.mode=broken): all exited with 1: this mode always fails")
    log = project / out.splitlines()[out.splitlines().index(failed[0]) + 1].removeprefix("  see ")
    assert log.read_text().startswith("dvc exp run --name broken-") and "this mode always fails" in log.read_text()
    assert "| fusion | gated | 1 | 0.950 [0.920, 0.980], p = 0.002 |" in out  # on validation clips
    assert run(project, "git", "status", "--porcelain") == before  # the working folder is as it was
    assert "mode: gated" in run(project, "git", "show", f"{made['gated']}:params.yaml")
    assert "hold" in run(project, "git", "show", f"{made['gated']}:stage.py")  # with the changes of the working folder
    run(project, "git", "cat-file", "-e", f"{made['gated']}:extra.py")
    assert "gated-" in run(project, "dvc", "exp", "list", "--name-only")

    code, out, err = sweep(project, "-S", "fusion.mode=gated,concat,broken", "--dry-run")
    assert code == 0, err
    states = dict(zip(*[iter(line.strip() for line in out.splitlines()[1:7])] * 2, strict=True))
    assert [state.split(";")[0] for state in states.values()] == ["done", "done", "re-runs all"]
    assert "ended without a result before, see .dvc/tmp/sweep/logs/broken-" in out

    noise = project / "inputs/noise.txt"  # another input: nothing is done
    noise.write_text("other")
    code, out, _ = sweep(project, *GRID, "--dry-run")
    noise.write_text("noise")
    assert out.count("re-runs all") == 3


@pytest.mark.slow
def test_a_kill_an_interruption_and_a_second_sweep(project):
    hold = project.parent / "hold"
    for end, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        hold.write_text("")
        first = start(project, *SEEDS)
        deadline = time.monotonic() + 240
        while not hold.read_text():  # seed 5 has ended, seed 6 trains
            assert first.poll() is None and time.monotonic() < deadline, first.communicate()
            time.sleep(0.1)
        (log,) = (project / ".dvc/tmp/sweep/logs").glob("5-*.log")
        finished = experiments(project)["5"], log.stat().st_mtime_ns
        if end == signal.SIGKILL:
            refused = sweep(project, *SEEDS)
            assert refused[0] == 1 and "error: another sweep runs in this project (process " in refused[2]
        first.send_signal(end)
        first.communicate(timeout=120)
        assert first.returncode == code
        stage = int(hold.read_text())
        while Path(f"/proc/{stage}").exists() and _runs(stage):  # the stage ends with its sweep
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert set(experiments(project)) >= {"5"} and "6" not in experiments(project)
    hold.unlink()
    code, out, err = sweep(project, *SEEDS)
    assert code == 0, out + err
    assert (experiments(project)["5"], log.stat().st_mtime_ns) == finished
    assert "6" in experiments(project) and "| fusion | 2 |" in out


def _runs(process: int) -> bool:
    """Whether a process is more than an entry that no parent has read yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_mistakes_are_named():
    for arguments, message in (
        (["--jobs", "0"], "error: --jobs is 0; give 1 or more"),
        (["--out", "table.txt"], "error: --out is table.txt; name a file that ends in .md or .csv"),
    ):
        code, _, err = sweep(REPO, *arguments)
        assert (code, err.strip()) == (1, message)
