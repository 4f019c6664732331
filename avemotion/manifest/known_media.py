"""Results of probing, kept between runs, so that another split of a corpus does not read its media again.

The file is not in the stage's outs and changes no byte of them. An entry is valid while the size, modification time and
change time of its file stay the same; copying tools cannot set the change time back. A file that changed in the last
two seconds before it was probed gets no entry, because it may change again within the same tick of the clock. Deleting
data/work is always safe.
"""

import json
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from avemotion.manifest.probe import Media, Unit
from avemotion.media.stills import file_of
from avemotion.system.outputs import naming
from avemotion.system.source_code import source_digest

FOLDER = Path("data/work/manifest")
TICK = 2 * 10**9  # ns; the coarsest clock of a file system in use (FAT)


class KnownMedia:
    """Entries of one version of the probing code and of the decoders."""

    def __init__(self, folder: Path = FOLDER):
        code = source_digest("avemotion.manifest.probe")[:12]
        self.file = folder / f"probed_{code}_av{version('av')}_soundfile{version('soundfile')}.jsonl"
        self._entries: dict[tuple[str, str], tuple[list[int], Media]] = {}
        lines = self.file.read_bytes().splitlines() if self.file.is_file() else []
        for line in lines:
            try:
                path, kind, state, values = json.loads(line)
                media = Media(**values | {"notes": tuple(values["notes"])})
            except (ValueError, TypeError, KeyError):  # the run was killed while it wrote this line
                continue
            self._entries[path, kind] = state, media
        self._states: dict[str, list[int]] = {}
        self._stream = None
        if len(lines) > 2 * len(self._entries):
            self._compact()

    def get(self, unit: Unit) -> Media | None:
        """The entry of a file if it is still valid, else None; stores the file's state for `put`."""
        path, kind = str(unit[0].absolute()), unit[1]
        try:
            now = _state(unit[0])
        except (OSError, ValueError):
            return None
        self._states[path] = now
        state, media = self._entries.get((path, kind), (None, None))
        return media if state == now else None

    def put(self, unit: Unit, media: Media) -> None:
        """Store an entry, unless the file has changed since `get`."""
        path, kind = str(unit[0].absolute()), unit[1]
        before = self._states.get(path)
        try:
            now = _state(unit[0])
        except (OSError, ValueError):
            return
        if before != now or max(now[1:]) > time.time_ns() - TICK or not media.hash:
            return
        if self._stream is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            for other in self.file.parent.glob("probed_*.jsonl"):
                if other != self.file:
                    other.unlink(missing_ok=True)
            # Appended line by line, so that a killed run keeps the entries so far.
            self._stream = self.file.open("a", encoding="utf-8", buffering=1)
            self._stream.write("\n")  # ends a line that a killed run left
        with naming(self.file):
            self._stream.write(_line(path, kind, now, media))

    def _compact(self) -> None:
        part = self.file.with_suffix(".part")
        lines = (_line(path, kind, *entry) for (path, kind), entry in self._entries.items())
        part.write_text("".join(lines), encoding="utf-8")
        part.replace(self.file)


def _state(path: Path) -> list[int]:
    stat = file_of(path).stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _line(path: str, kind: str, state: list[int], media: Media) -> str:
    # ASCII: names on disk need not be valid UTF-8.
    return json.dumps([path, kind, state, asdict(media)]) + "\n"
