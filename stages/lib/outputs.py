"""What a stage leaves: whole or not at all, written by one process at a time."""

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
    """A folder to write into that becomes `folder`, replacing an older one, only when the block succeeds.

    Raises:
        OSError: no space left, or no permission; `folder` is as it was.
    """
    old = folder.with_name(f".{folder.name}.old")
    if folder.is_dir() and not os.access(folder, os.W_OK):  # said before the work, not after it
        refused = errno.EACCES
        if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
            refused = errno.EROFS
        raise OSError(refused, os.strerror(refused), str(folder))
    if old.is_dir() and not folder.exists():  # killed between the two renames below
        old.replace(folder)
    _remove(old)
    with _partial(folder, folder.with_name(f".{folder.name}.partial")) as partial:
        yield partial
    if folder.is_dir():  # renamed before it is deleted: a deletion that stops half-way loses nothing
        folder.replace(old)
    try:
        partial.replace(folder)
    except OSError:
        if old.is_dir():
            old.replace(folder)
        raise
    _remove(old)


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """A folder to write into whose files move below `folder`, replacing older ones, only when the block succeeds.

    For files that belong together and share `folder` with others. Moving them takes no space.

    Raises:
        OSError: no space left, or no permission; the files are as they were.
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
    """The empty folder `partial`, for what becomes `folder`; it is gone if the block fails."""
    _remove(partial)  # left by a killed run
    partial.mkdir(parents=True)
    try:
        with naming(folder):
            yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # a full disk needs the space
        raise


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Where the disk is full while an open file is written, the system's error names no file: here it does."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in DISK_FULL:
            error.filename = str(path)
        raise


@contextmanager
def alone(stage: str, lock: Path | None = None) -> Iterator[None]:
    """Holds a lock; a second process waits here until the first has ended, however it ends: the system frees it.

    Two runs by hand meet here, and a run with one that outlived its killed DVC.

    Args:
        lock: its file; None = the stage's own.
    """
    import filelock

    file = lock or LOCKS / stage
    with naming(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(file)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        print(f"{stage}: another process is at it; waiting until it ends", flush=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()
