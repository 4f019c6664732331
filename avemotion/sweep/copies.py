"""Copies of the project in which experiments run: its commit, its changes, its untracked inputs, and its DVC cache."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from avemotion.sweep.project import Project, git

FOLDER = Path(".dvc/tmp/sweep")  # below the project; DVC's own .gitignore excludes it
OWN = "--git-dir=.git"  # never the project around the copy


def renew(project: Project, copy: Path, inputs: Sequence[str], outs: Sequence[str]) -> None:
    """Make `copy` the project as its snapshot has it, with a git and a DVC that have seen no run.

    Files that git ignores stay, such as the outputs and the unfinished work of an earlier run: DVC checks the former,
    stages go on with the latter.

    Args:
        inputs, outs: paths of the run's code and data, and of what its stages make.

    Raises:
        ValueError: an input can not be had in a copy.
    """
    copy.mkdir(parents=True, exist_ok=True)
    for state in (copy / ".git", copy / ".dvc/tmp"):
        if state.exists():
            shutil.rmtree(state)
    fresh = copy.with_name(f"{copy.name}.git")
    shutil.rmtree(fresh, ignore_errors=True)
    git(project.root, "clone", "--quiet", "--no-checkout", "--shared", "--no-tags", str(project.root), str(fresh))
    (fresh / ".git").rename(copy / ".git")
    fresh.rmdir()
    for key in ("user.name", "user.email"):
        if value := _configured(project.root, key):
            git(copy, OWN, "config", key, value)
    git(copy, OWN, "update-ref", "--no-deref", "HEAD", project.head)
    git(copy, OWN, "read-tree", project.head)
    git(copy, OWN, "clean", "--quiet", "-d", "--force")
    git(copy, OWN, "read-tree", "--reset", "-u", project.snapshot)
    _configure(project, copy)
    for path in inputs:
        _link(project, copy, path, outs)


def _configured(folder: Path, key: str) -> str:
    try:
        return git(folder, "config", key).strip()
    except ValueError:  # not set
        return ""


def _configure(project: Project, copy: Path) -> None:
    """The project's own settings, which git does not track, and its cache."""
    from dvc.config import Config

    local = project.root / ".dvc/config.local"
    (copy / ".dvc/config.local").write_bytes(local.read_bytes() if local.is_file() else b"")
    with Config(str(copy / ".dvc"), validate=False).edit("local") as settings:
        settings.setdefault("cache", {})["dir"] = str(project.cache.parents[1])
        settings.setdefault("exp", {})["auto_push"] = False


def _link(project: Project, copy: Path, path: str, outs: Sequence[str]) -> None:
    """Links in the copy to an input, or to the parts of it that git does not track."""
    if Path(path).is_absolute() or project.in_cache(path) or not (project.root / path).exists():
        return
    if not project.tracks(path) and not any(Path(out).is_relative_to(path) for out in outs):
        names = [path]  # as a whole: a corpus has many files
    else:
        names = [name for name in project.untracked(path) if not any(Path(name).is_relative_to(out) for out in outs)]
    for name in names:
        link = copy / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            raise ValueError(f"{link} is in the way of a link to {project.root / name}; delete it")
        link.symlink_to(project.root / name)
