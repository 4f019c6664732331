"""A DVC project under git as it is now: its tracked files, its inputs, its cache, its experiments."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from avemotion.system import params_file

IDENTITY = ("-c", "user.name=sweep", "-c", "user.email=sweep@localhost")  # of a commit that no branch ever holds


def git(folder: Path, *command: str) -> str:
    """The output of a git command.

    Raises:
        ValueError: git refuses; the message is git's.
    """
    done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(command[:2])} in {folder}: {' '.join(done.stderr.split())}")
    return done.stdout


class Project:
    """The project in the working folder.

    root: its folder. head: the commit that its experiments start from. snapshot: a commit with the tracked files as
    they are now, head itself where nothing is changed. cache: DVC's cache.
    """

    def __init__(self) -> None:
        """Raises ValueError where the working folder is not the root of a DVC project under git."""
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        self.root = Path.cwd()
        if not (self.root / ".dvc").is_dir() or not (self.root / ".git").exists():
            raise ValueError(f"{self.root} is no DVC project under git; run from the project's root")
        self.head = git(self.root, "rev-parse", "HEAD").strip()
        self.snapshot = git(self.root, *IDENTITY, "stash", "create").strip() or self.head
        try:
            self._dvc: Any = Repo(str(self.root))
        except DvcException as error:
            raise ValueError(f"DVC cannot read the project: {error}") from error
        self.cache = Path(self._dvc.cache.local.path)  # <cache.dir>/files/md5
        self.hash_of = functools.cache(self._hash_of)
        self.within = functools.cache(self._within)

    def files(self, commit: str, *names: str) -> dict[str, str]:
        """The text of all files of a commit with one of these names, or suffixes such as .dvc, by path."""
        listed = git(self.root, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")
        wanted = [path for path in listed if {PurePosixPath(path).name, PurePosixPath(path).suffix} & {*names}]
        return {path: git(self.root, "show", f"{commit}:{path}") for path in wanted}

    def params(self) -> dict[str, Any]:
        """params.yaml as it is now."""
        return params_file.content(self.root / "params.yaml")

    def experiments(self) -> dict[str, str]:
        """Name -> commit of the experiments that start from head."""
        place = f"refs/exps/{self.head[:2]}/{self.head[2:]}/"
        lines = git(self.root, "for-each-ref", "--format=%(refname) %(objectname)", place).splitlines()
        return {name.removeprefix(place): commit for name, commit in map(str.split, lines)}

    def untracked(self, path: str) -> list[str]:
        """Files below a path that git does not track, ignored or not, but none that .dvcignore excludes."""
        listed = git(self.root, "ls-files", "-z", "--others", "--", path).split("\0")
        ignored = self._dvc.dvcignore.is_ignored_file
        return [file for file in listed if file and not ignored(str(self.root / file))]

    def tracks(self, path: str) -> bool:
        """Whether git tracks a file or some file of a folder."""
        return bool(git(self.root, "ls-files", "--", path).strip())

    def has(self, hash_: str) -> bool:
        """Whether DVC's cache has an output."""
        return (self.cache / hash_[:2] / hash_[2:]).is_file()

    def _hash_of(self, path: str) -> str | None:
        """DVC's hash of a file or folder; None = it does not exist. DVC computes it once for each version."""
        from dvc.dependency.base import Dependency

        dependency = Dependency(None, str(self.root / path), repo=self._dvc)
        if dependency.exists:
            return str(dependency.get_hash().value)
        pointer = self.root / f"{path}.dvc"  # of `dvc add` and `dvc import-url`: its data comes from the cache
        if pointer.is_file():
            return str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0].get("md5"))
        return None

    def in_cache(self, path: str) -> bool:
        """Whether `dvc add` or `dvc import-url` keeps a path, so that `dvc checkout` brings it."""
        return any(self.tracks(f"{place}.dvc") for place in (path, *map(str, Path(path).parents)) if place != ".")

    def _within(self, hash_: str, inner: str) -> str | None:
        """The hash of a file of a folder in the cache."""
        file = self.cache / hash_[:2] / hash_[2:]
        if not hash_.endswith(".dir") or not file.is_file():
            return None
        entries: list[Mapping[str, str]] = json.loads(file.read_text(encoding="utf-8"))
        below = [entry for entry in entries if entry["relpath"] == inner]
        return below[0]["md5"] if below else None


def environment() -> dict[str, str]:
    """Of the programs that run in a copy of the project: this Python's own programs come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}
