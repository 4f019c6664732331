"""Full and read-only file systems below each stage's outputs and below DVC's cache."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import small_project

# Stage -> its command, and the folders that it writes.
STAGES = {
    "check": (("check",), ("data/check",)),
    "sample": (("sample", "iemocap"), ("data/sample/iemocap",)),
    "manifest": (("manifest",), ("data/manifest",)),
    **{f"features {kind}": (("features", kind, "--role", "emotion"), (f"data/features/{kind}/emotion",))
       for kind in ("wavlm", "mel", "frames", "prosody", "speaker")},
    **{name: ((name,), (f"data/models/{name}",)) for name in ("pretrain_audio", "pretrain_video", "fusion", "va")},
    **{f"evaluate {role}": (("evaluate", role), ("metrics", f"plots/{role}")) for role in ("emotion", "affect")},
    "report": (("report",), ("metrics", "plots/both", "plots/report.html")),
}  # fmt: skip
ROOM = (0.0, 0.3, 0.8)  # free bytes on the full disk, as shares of the stage's outputs


def disk(options: argparse.Namespace, folder: Path, calm: Path) -> int:
    """One row per stage: runs on a full disk, then with space; returns the number of faults."""
    where = folder / "full"
    size = sum(file.stat().st_size for file in _files(calm) if ".dvc" not in file.parts and ".git" not in file.parts)
    rows = []
    with mounted(where, "-t", "tmpfs", "-o", f"size={2 * size + 2**26}", "tmpfs"):
        small_project.copy(calm, where)
        for name, (arguments, outs) in STAGES.items():
            needed = sum(file.stat().st_size for out in outs for file in _files(where / out))
            trials = [_full(where, name, arguments, outs, int(room * needed)) for room in ROOM]
            rows.append((f"{name}, disk full", trials, [_again(where, arguments, calm)]))
    rows.append(_dvc_cache(folder, "disk full", ("-t", "tmpfs", "-o", "size=300k", "tmpfs")))
    return table(rows)


def readonly(options: argparse.Namespace, folder: Path, calm: Path) -> int:
    """One row per stage and read-only folder; returns the number of faults."""
    where = folder / "refusing"
    if not where.exists():
        small_project.copy(calm, where)
    rows = []
    for name, (arguments, outs) in STAGES.items():
        for out in sorted({_mount_point(Path(out)) for out in outs}):
            rows.append(_refused(where, name, arguments, outs, out, calm))
    for name in ("features mel", "manifest", "va"):
        arguments, outs = STAGES[name]
        rows.append(_refused(where, name, arguments, outs, Path("data/work"), calm))
    rows.append(_dvc_cache(folder, "read-only", None))
    return table(rows)


def _mount_point(out: Path) -> Path:
    """The folder that is read-only in the trial of an output."""
    return out.parent if out.suffix or out.is_relative_to("data/models") else out


def table(rows: list[tuple[str, list[str], list[str]]]) -> int:
    """Print the trials; an empty text is a trial without fault."""
    print("\n| what | tried | one clear line, earlier outputs untouched | then the same bytes |\n|---|---:|---:|---:|")
    wrong = []
    for what, trials, after in rows:
        print(f"| {what} | {len(trials)} | {trials.count('')} | {'yes' if not any(after) else 'NO'} |")
        wrong += [f"{what}: {text}" for text in [*trials, *after] if text]
    print("\n" + "\n".join(wrong))
    return len(wrong)


def _full(where: Path, name: str, arguments: tuple[str, ...], outs: tuple[str, ...], room: int) -> str:
    """Run a stage with `room` free bytes; returns its faults."""
    if name.startswith("features"):  # otherwise all clips are already extracted
        kind, role = arguments[1], arguments[3]
        shutil.rmtree(where / "data/work/features" / kind / role, ignore_errors=True)
    before = state(where, outs)
    ballast = where / "ballast"
    free = os.statvfs(where).f_bavail * os.statvfs(where).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))
    try:
        return ended_well(where, arguments, "No space left on device", before, outs)
    finally:
        ballast.unlink()


def _refused(where: Path, name: str, arguments: tuple[str, ...], outs: tuple[str, ...], out: Path, calm: Path):
    before = state(where, outs)
    place = where / out
    with mounted(place, "--bind", str(place)):
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        trial = ended_well(where, arguments, "Read-only file system", before, outs)
    return f"{name}, {out} read-only", [trial], [_again(where, arguments, calm)]


def ended_well(where: Path, arguments: tuple[str, ...], reason: str, before: dict, outs: tuple[str, ...]) -> str:
    """Run a stage that must fail for `reason`; returns faults of its message and of the earlier outputs."""
    done = _stage(where, arguments)
    last = done.stderr.rstrip().rpartition("\n")[2]
    print(f"    {' '.join(arguments)}: {last}", file=sys.stderr)
    faults = []
    if done.returncode != 1:
        faults.append(f"exit status {done.returncode}")
    if "Traceback" in done.stderr or "Exception ignored" in done.stderr:
        faults.append(f"traceback: {done.stderr[-1500:]}")
    if not last.startswith("error: ") or reason not in last:
        faults.append(f"message: {last}")
    if state(where, outs) != before:
        faults.append("earlier outputs changed")
    return "; ".join(faults)


def _again(where: Path, arguments: tuple[str, ...], calm: Path) -> str:
    done = _stage(where, arguments)
    if done.returncode:
        return f"afterwards: {done.stderr[-1500:]}"
    ours, theirs = small_project.digests(where), small_project.digests(calm)
    return "" if ours == theirs else f"afterwards other bytes: {sorted(set(ours.items()) ^ set(theirs.items()))}"


def _stage(where: Path, arguments: tuple[str, ...]) -> subprocess.CompletedProcess:
    stage, *rest = arguments
    command = [sys.executable, "-m", f"stages.{stage}", *rest]
    environment = small_project.environment()
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


def _dvc_cache(folder: Path, what: str, mount: tuple[str, ...] | None) -> tuple[str, list[str], list[str]]:
    """`dvc repro manifest` in a new clone whose cache is full or read-only, then again without that."""
    where = folder / what.replace(" ", "_")
    shutil.rmtree(where, ignore_errors=True)
    small_project.clone(where, small_project.SMALLEST)
    cache = where / ".dvc/cache"
    cache.mkdir()
    with mounted(cache, *(mount or ("--bind", str(cache)))):
        if mount is None:
            subprocess.run(["mount", "-o", "remount,ro,bind", cache], check=True)
        done = subprocess.run(
            ["dvc", "repro", "manifest"], cwd=where, env=small_project.environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        finished = len(small_project.digests(where))
    refused = re.search(r"ERROR: failed .*(No space left on device|Read-only file system)", done.stderr)
    if not (done.returncode and refused and finished):
        return f"dvc repro, .dvc/cache {what}", [f"exit {done.returncode}, {finished} files: {done.stderr[-1500:]}"], []
    print(f"    dvc repro, .dvc/cache {what}: {refused[0]}", file=sys.stderr)
    # The outputs of the finished stages are whole, so they are committed instead of computed again.
    ran = re.findall(r"Running stage '(\S+)'", done.stdout)
    small_project.run(where, "dvc", "commit", "-f", *ran)
    log = small_project.run(where, "dvc", "repro", "manifest")
    ours, theirs = (
        {
            name: text
            for name, text in small_project.digests(one).items()
            if name.startswith(("data/sample", "data/man"))
        }
        for one in (where, folder / "calm")
    )
    again = [stage for stage in ran if f"Running stage '{stage}'" in log]
    return f"dvc repro, .dvc/cache {what}", [""], ["" if ours == theirs and not again else f"again: {again}"]


def state(where: Path, outs: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Every file in outs with its inode and time: another file with the same bytes counts as changed."""
    stats = {file: file.stat() for out in outs for file in _files(where / out)}
    return {str(file): (stat.st_ino, stat.st_mtime_ns) for file, stat in stats.items()}


def _files(folder: Path) -> list[Path]:
    """The files of a folder; of a file, the file itself."""
    paths = [folder] if folder.is_file() else folder.rglob("*")
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[None]:
    """Mount something over a folder for the block."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *arguments, place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def private_mounts() -> None:
    """Start this program again with its own mounts: other processes do not get them, and they end with the program."""
    if "FAULTS_MOUNTS" in os.environ:
        return
    os.environ["FAULTS_MOUNTS"] = "private"
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "-Urm", sys.executable, "-m", "benchmarks.faults", *sys.argv[1:]])
