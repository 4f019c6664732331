"""Outputs of a stage: written whole or not at all, by one process at a time."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCKS = Path("data/work/locks")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder to write into. When the block succeeds, it becomes `folder` and replaces an older one.

    Raises:
        OSError: no space left, or no permission; `folder` is unchanged.
    """
    old = folder.with_name(f".{folder.name}.old")
    if folder.is_dir() and not os.access(folder, os.W_OK):  # fails before the work, not after it
        code = errno.EACCES
        if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
            code = errno.EROFS
        raise OSError(code, os.strerror(code), str(folder))
    if old.is_dir() and not folder.exists():  # a run was killed between the two renames below
        old.replace(folder)
    _remove(old)
    with _partial(folder, folder.with_name(f".{folder.name}.partial")) as partial:
        yield partial
    if folder.is_dir():  # renamed before the deletion, which may be interrupted
        folder.replace(old)
    try:
        partial.replace(folder)
    except OSError:
        if old.is_dir():
            old.replace(folder)
        raise
    _remove(old)


def leave_reason(folder: Path, reason: str) -> None:
    """Make `folder` hold nothing but the reason why, and print it."""
    with whole_folder(folder) as partial:
        (partial / "README.md").write_text(f"{reason}\n", encoding="utf-8")
    print(f"{folder.name}: {reason}")


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Yields an empty folder to write into. When the block succeeds, its files move below `folder`.

    They replace older files of the same names. For files that belong together and share `folder` with others.

    Raises:
        OSError: no space left, or no permission; the files are unchanged.
    """
    with _partial(folder, folder / ".partial") as partial:
        yield partial
    for file in sorted(path for path in partial.rglob("*") if path.is_file()):
        target = folder / file.relative_to(partial)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    _remove(partial)


@contextmanager
def _partial(folder: Path, partial: Path) -> Iterator[Path]:
    """Yields the empty folder `partial`, which later becomes `folder`; removes it if the block fails."""
    _remove(partial)  # a killed run may have left one
    partial.mkdir(parents=True)
    try:
        with naming(folder):
            yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # gives a full disk its space back
        raise


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds `path` to the error of a full disk: the system's error for a write to an open file has no file name."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in DISK_FULL:
            error.filename = str(path)
        raise


@contextmanager
def alone(stage: str, lock: Path | None = None) -> Iterator[None]:
    """Holds a lock for the block; a second process waits until the first ends. The system frees the lock of a killed
    process.

    Two runs started by hand may overlap, and a run may overlap with an older one whose DVC process was killed.

    Args:
        lock: file of the lock; None = the stage's own.
    """
    import filelock

    file = lock or LOCKS / stage
    with naming(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(file)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        print(f"{stage}: another process runs this stage; waiting until it ends", flush=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()
