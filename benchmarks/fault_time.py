"""Two runs at once, and wrong clocks."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import small_project
from benchmarks.fault_disk import STAGES

DAY = 86400
# Every Python with its folder on PYTHONPATH runs it: DVC, the stage and its worker processes.
SHIFTED = f"import time\n_t, _n = time.time, time.time_ns\ntime.time = lambda: _t() - {DAY}\n"
SHIFTED += f"time.time_ns = lambda: _n() - {DAY} * 10**9\n"


def twice(options: argparse.Namespace, folder: Path, calm: Path) -> int:
    """One row per stage, started twice at once; then two `dvc repro`; returns the number of faults."""
    where = folder / "twice"
    shutil.rmtree(where, ignore_errors=True)
    small_project.copy(calm, where)
    rows = []
    for name, (arguments, _) in STAGES.items():
        if name == "check":  # it takes no lock: it writes one small file with constant content
            continue
        if name.startswith("features"):  # otherwise there is nothing to extract
            shutil.rmtree(where / "data/work/features" / arguments[1] / arguments[3], ignore_errors=True)
        command = (sys.executable, "-m", f"stages.{arguments[0]}", *arguments[1:])
        both = [small_project.start(where, *command) for _ in range(2)]
        printed = [process.communicate()[0] for process in both]
        waited = sum("waiting until it ends" in text for text in printed)
        well = [process.returncode for process in both] == [0, 0] and waited == 1
        rows.append((f"{name} twice", "the second waits; the same bytes", well and same(where, calm)))
        if not rows[-1][-1]:
            print(*printed, sep="\n----\n", file=sys.stderr)
    return table([*rows, *_two_dvc(folder, calm)])


def _two_dvc(folder: Path, calm: Path) -> Iterator[tuple[str, str, bool]]:
    where = _project(folder / "two_dvc", calm)
    first = small_project.start(where, "dvc", "repro", "-f", "-s", "pretrain_video")
    until(lambda: "Running stage" in first.stdout.readline())
    second = small_project.start(where, "dvc", "repro", "-f", "-s", "pretrain_video")
    message = second.communicate()[0]
    print(message, file=sys.stderr)
    first.communicate()
    refused = second.returncode != 0 and ("is busy" in message or "Unable to acquire lock" in message)
    yield "dvc repro twice", "DVC refuses the second and names the first", refused and first.returncode == 0
    small_project.run(where, "dvc", "repro")
    yield "dvc repro afterwards", "nothing to do but what was forced; the same bytes", same(where, calm)


def clock(options: argparse.Namespace, folder: Path, calm: Path) -> int:
    """Print one row per wrong clock; returns the number of faults."""
    return table([*_media(folder, calm), *_dvc(folder, calm), *_resume(folder, calm)])


def _media(folder: Path, calm: Path) -> Iterator[tuple[str, str, bool]]:
    """Results of probing that the manifest keeps between runs, without DVC."""
    where = folder / "clock"
    shutil.rmtree(where, ignore_errors=True)
    small_project.copy(calm, where)
    file, clips = _sound(where), where / "data/manifest/emotion/clips.csv"
    manifest = (sys.executable, "-m", "stages.manifest")
    small_project.run(where, *manifest)
    time.sleep(2.5)  # files that changed within the last two seconds are read again
    small_project.run(where, *manifest)
    known = clips.read_bytes()
    stat, content = file.stat(), file.read_bytes()
    for what, shift in (("a day older", -DAY), ("the same time", 0), ("a day from now", DAY)):
        overwrite(file, content[:-2] + bytes([content[-2] ^ 1, content[-1]]), stat.st_mtime_ns + shift * 10**9)
        small_project.run(where, *manifest)
        changed = clips.read_bytes() != known
        overwrite(file, content, stat.st_mtime_ns)
        small_project.run(where, *manifest)
        yield f"manifest: a recording changed, same size, {what}", "noticed", changed and clips.read_bytes() == known
    for path in (where / "data/sample").rglob("*.*"):
        os.utime(path, ns=(time.time_ns(), time.time_ns() + DAY * 10**9))
    small_project.run(where, *manifest)
    yield "manifest: all recordings from tomorrow", "the same bytes", same(where, calm)
    with clock_back(where) as path:
        for stage in ("manifest", "features", "evaluate", "report"):
            small_project.run(where, sys.executable, "-m", f"stages.{stage}", PYTHONPATH=path)
    yield "manifest, features, evaluate, report: the clock a day back", "the same bytes", same(where, calm)


def _dvc(folder: Path, calm: Path) -> Iterator[tuple[str, str, bool]]:
    """Files that DVC counts as changed."""
    where = _project(folder / "clock_dvc", calm)
    small_project.run(where, "dvc", "status")  # DVC notes times and sizes

    def status(**environment: str) -> str:
        return small_project.run(where, "dvc", "status", **environment)

    code = [path for folder in ("avemotion", "stages") for path in (where / folder).rglob("*.py")]
    for path in [*(where / "data").rglob("*.*"), *code]:
        if path.is_file() and not path.is_symlink():
            os.utime(path, ns=(time.time_ns(), time.time_ns() + DAY * 10**9))
    yield "DVC: all files from tomorrow", "nothing to do", "up to date" in status()
    with clock_back(where) as path:
        yield "DVC: the clock a day back", "nothing to do", "up to date" in status(PYTHONPATH=path)
        file = _sound(where)
        stat, content = file.stat(), file.read_bytes()
        changed = content[:-2] + bytes([content[-2] ^ 1, content[-1]])
        overwrite(file, changed, stat.st_mtime_ns - 2 * DAY * 10**9)
        noticed = "manifest" in status(PYTHONPATH=path)
        yield "DVC: a recording changed, same size, older, the clock a day back", "noticed", noticed
        overwrite(file, content, stat.st_mtime_ns - 3 * DAY * 10**9)
        yield "DVC: changed back, older still", "nothing to do", "up to date" in status(PYTHONPATH=path)
        status()
        overwrite(file, changed, file.stat().st_mtime_ns)
        unnoticed = "up to date" in status()
        overwrite(file, content, stat.st_mtime_ns)
    # DVC compares inode, size and modification time; the stage compares the change time too (rows above).
    expected = "not noticed; dvc repro -f manifest is"
    yield "DVC: the same, time set to that of before to the nanosecond", expected, unnoticed
    small_project.run(where, "dvc", "repro")
    yield "DVC: dvc repro after all that", "the same bytes", same(where, calm)


def _resume(folder: Path, calm: Path) -> Iterator[tuple[str, str, bool]]:
    """A killed extraction, resumed with the clock a day back."""
    where = folder / "clock"
    shutil.rmtree(where / "data/work/features/prosody/emotion")
    shutil.rmtree(where / "data/features/prosody/emotion")
    command = (sys.executable, "-m", "stages.features", "prosody", "--role", "emotion")
    process = small_project.start(where, *command)
    until(lambda: len(list((where / "data/work/features/prosody").rglob("*.npz"))) >= 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = len(list((where / "data/work/features/prosody").rglob("*.npz")))
    with clock_back(where) as path:
        log = small_project.run(where, *command, PYTHONPATH=path)
    reused = f"{finished} finished before" in log
    yield "features prosody: killed, then the clock a day back", "resumes; the same bytes", reused and same(where, calm)


@contextmanager
def clock_back(where: Path) -> Iterator[str]:
    """A PYTHONPATH that sets the clock of every Python one day back."""
    folder = where / "tmp/yesterday"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(SHIFTED)
    yield str(folder)
    shutil.rmtree(folder)


def overwrite(file: Path, content: bytes, modified: int) -> None:
    """Overwrite a file in place, like an editor, and set its modification time (ns)."""
    with file.open("r+b") as stream:
        stream.write(content)
    os.utime(file, ns=(modified, modified))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def same(where: Path, calm: Path) -> bool:
    ours, theirs = small_project.digests(where), small_project.digests(calm)
    wrong = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if wrong:
        print(f"{where}: {wrong}", file=sys.stderr)
    return not wrong


def table(rows: list[tuple[str, str, bool]]) -> int:
    print("\n| what | expected | as expected |\n|---|---|---|")
    for what, expected, well in rows:
        print(f"| {what} | {expected} | {'yes' if well else 'NO'} |", flush=True)
    return sum(not well for _, _, well in rows)


def _sound(where: Path) -> Path:
    return sorted((where / "data/sample/ravdess").rglob("*.wav"))[0]


def _project(folder: Path, calm: Path) -> Path:
    """A copy of the undisturbed project with git and DVC."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["cp", "-a", calm, folder], check=True)
    return folder
