"""The project with the smallest sample that every stage accepts, for runs of the whole chain."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
OUTS = ("data/sample", "data/manifest", "data/features", "data/models", "metrics", "plots")

SMALL = {
    "sample.ravdess.actors": [1, 2, 3, 17, 21, 22],
    "sample.iemocap.dialogues": 1,
    "sample.iemocap.turns": 6,
    "views.emotion": [10],
    "augment.audio.views": {"clean": 1, "snr_10": 1},
    "features.frames.count": 2,
    "features.frames.size": 32,
    "pretrain_audio.head_epochs": 1,
    "pretrain_audio.epochs": 1,
    "pretrain_video.epochs": 1,
    "fusion.head_epochs": 1,
    "fusion.epochs": 1,
    "va.epochs": 2,
    "evaluate.draws": 100,
}


SMALLEST = {"compute.workers": 2, "sample.ravdess.actors": [1, 17, 21], "sample.iemocap.turns": 4}


def params(changes: Mapping[str, Any]) -> str:
    """params.yaml with SMALL and changes, by dotted key."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in (SMALL | dict(changes)).items():
        *path, last = key.split(".")
        section = content
        for name in path:
            section = section[name]
        assert last in section
        section[last] = value
    return yaml.safe_dump(content, sort_keys=False)


def environment(**more: str) -> dict[str, str]:
    """The environment of this process, with this Python's programs first on the path and a git identity."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {f"GIT_{role}_{what}": "test@test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return os.environ | {"PATH": path} | identity | more


def run(folder: Path, *command: str, **more: str) -> str:
    """Run a command in folder and return its output; AssertionError if it fails."""
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def clone(folder: Path, changes: Mapping[str, Any]) -> Path:
    """A copy of the working tree without results, as a separate git and DVC project."""
    files = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in files:
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "plots/")) and not name.endswith("dvc.lock"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "params.yaml").write_text(params(changes), encoding="utf-8")
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-q", "-m", "small")
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Relative path -> digest of every output file of the stages in folder."""
    files = [file for root in OUTS for file in (folder / root).rglob("*") if file.is_file()]
    return {
        file.relative_to(folder).as_posix(): hashlib.blake2b(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file.name != ".gitignore"
    }


def timed(folder: Path) -> list[tuple[float, str]]:
    """Lines that `dvc repro` prints, with the seconds since its start."""
    process = start(folder, "dvc", "repro")
    began, lines = time.monotonic(), []
    for line in process.stdout:
        lines.append((time.monotonic() - began, line.rstrip()))
    assert process.wait() == 0, "\n".join(line for _, line in lines)
    return lines


def start(folder: Path, *command: str, **more: str) -> subprocess.Popen:
    """Start a command in its own process group, with stdout and stderr in one pipe."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def locks(folder: Path) -> dict[str, str]:
    """The dvc.lock of both dvc.yaml, with checksums of every dependency and output."""
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("dvc.lock", "sample/dvc.lock")}


def differing(folder: Path, calm: Path) -> list[str]:
    """Files that differ from those of the undisturbed run, or that only one of the runs has."""
    ours, theirs = (digests(where) | locks(where) for where in (folder, calm))
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def copy(folder: Path, into: Path) -> None:
    """Copy a project with its results, but without git and DVC."""
    shutil.copytree(folder, into, ignore=shutil.ignore_patterns(".git", ".dvc"), symlinks=True, dirs_exist_ok=True)
