"""Files of the people at the page: who uses which, and their removal."""

import math
import threading
from collections.abc import Iterable
from pathlib import Path

IDLE = 600.0  # seconds without use or growth after which a file that no one uses is removed; an upload may pause


class Visits:
    """Uses of the files below one folder, by browser session.

    Gradio names an upload by its content, so two sessions may have the same file. It is removed when the last of them
    ends. A file of no session may be on its way to one, or left over from an upload that was broken off. It is removed
    when no session is left, or after a while without change.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self._files: dict[str, set[Path]] = {}
        self._lock = threading.Lock()

    def use(self, session: str, files: Iterable[Path]) -> None:
        """Replace the files of a session; those that it had before, and no other session has, are removed."""
        with self._lock:
            self._replace(session, {file.resolve() for file in files})

    def add(self, session: str, files: Iterable[Path]) -> None:
        """Add files to those of a session; if it has ended, they are removed."""
        with self._lock:
            if session in self._files:
                self._files[session].update(file.resolve() for file in files)
            else:
                for file in files:
                    self._remove(file.resolve())

    def here(self, session: str) -> bool:
        """Whether a session has not ended."""
        with self._lock:
            return session in self._files

    def leave(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._replace(session, set())
            self._files.pop(session, None)
            if not self._files:
                self._sweep(math.inf)

    def sweep(self, now: float) -> None:
        """Remove files that no session uses and that have not changed for IDLE seconds before now (Unix time)."""
        with self._lock:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        used = set().union(*self._files.values())
        for file in [path for path in self.folder.rglob("*") if path.is_file() and path not in used]:
            if now - file.stat().st_mtime > IDLE:
                self._remove(file)

    def _replace(self, session: str, files: set[Path]) -> None:
        before, self._files[session] = self._files.get(session, set()), files
        for file in before - set().union(*self._files.values()):
            self._remove(file)

    def _remove(self, file: Path) -> None:
        """Remove a file below the folder, and the folders that it leaves empty."""
        if self.folder not in file.parents:
            return
        file.unlink(missing_ok=True)
        for above in file.parents:
            if above == self.folder or any(above.iterdir()):
                return
            above.rmdir()
