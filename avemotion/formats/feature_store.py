"""Files of the feature cache: a folder of few large arrays, read as memory maps.

    index.json      ids, views, arrays (dtype, shape, lengths, a checksum per clip), facts, its own checksum
    <array>.npy     rows of all clips, sorted by id, then in the order of views
    rejected.csv    id,path,reason of clips without features because of an error; only if there are any

A clip's rows of one view are one slice [T, ...]; T is 0 for a clip without the modality of the extractor.
Opening a store compares names, types, shapes and sizes with the index; `FeatureStore.verify` compares every byte.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from avemotion.system import tables
from avemotion.system.outputs import whole_folder

CLEAN = "clean"  # the view without added noise, always the first

REJECTED = "rejected.csv"

Rejected = dict[str, tuple[str, str]]  # clip id -> path below the corpus root, reason
Views = dict[str, dict[str, np.ndarray]]  # view -> array name -> rows [T, ...]


class FeatureStore:
    """Reader of one feature folder. Arrays stay on disk; a slice is read at its first use."""

    def __init__(self, folder: Path):
        """Check the index and the arrays' sizes.

        Raises:
            ValueError: no such cache, or a file does not fit the index; the message names file and remedy.
        """
        self.folder = Path(folder)
        index = _read_index(self.folder)
        self.ids: list[str] = index["ids"]
        self.views: list[str] = index["views"]
        self.facts: dict[str, Any] = index["facts"]  # settings of the extractor, and its counts
        self.missing: list[str] = index["missing"]  # ids without sound (or picture): length 0
        self._missing = frozenset(self.missing)
        self._row = {clip: i for i, clip in enumerate(self.ids)}
        self._view = {view: i for i, view in enumerate(self.views)}
        self._arrays: dict[str, np.ndarray] = {}
        self._offsets: dict[str, np.ndarray] = {}
        self._checksums: dict[str, list[str]] = {}
        for name, entry in index["arrays"].items():
            self._arrays[name] = _open_array(self.folder / f"{name}.npy", entry)
            lengths = np.asarray(entry["lengths"], np.int64).reshape(-1)
            self._offsets[name] = np.concatenate([[0], np.cumsum(lengths)])
            self._checksums[name] = entry["checksums"]
            if len(lengths) != len(self.ids) * len(self.views) or self._offsets[name][-1] != entry["shape"][0]:
                raise ValueError(_damaged(self.folder / "index.json", f"the lengths of {name} do not add up"))

    def __reduce__(self) -> tuple:
        return FeatureStore, (self.folder,)  # a worker process opens the files instead of receiving the arrays

    @property
    def arrays(self) -> list[str]:
        """Names of the arrays."""
        return list(self._arrays)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the extractor. Checkpoints store them, so that new recordings get the same extraction."""
        if "settings" not in self.facts:
            raise ValueError(f"{self.folder}: extracted by an older version of the code; run `dvc repro`")
        return self.facts["settings"]

    def dim(self, array: str) -> tuple[int, ...]:
        """Shape of one row, such as (768,)."""
        return self._entry(array, self._arrays).shape[1:]

    def dtype(self, array: str) -> np.dtype:
        """Type of the stored values."""
        return self._entry(array, self._arrays).dtype

    def length(self, clip: str, array: str, view: str = CLEAN) -> int:
        """Number of rows T of a clip; 0 where it is missing."""
        if clip in self._missing:  # valid for every array, also where no clip has rows
            return 0
        start, stop = self._slice(clip, array, view)
        return stop - start

    def get(self, clip: str, array: str, view: str = CLEAN) -> np.ndarray:
        """Rows [T, ...] of a clip: a read-only view of the file, not a copy.

        Raises:
            ValueError: unknown clip, array or view.
        """
        start, stop = self._slice(clip, array, view)
        return self._arrays[array][start:stop]

    def checksums(self, clip: str) -> dict[str, str]:
        """Array name -> checksum of the clip's rows of all views, computed at writing."""
        row = self._entry(clip, self._row, "clip")
        return {name: checksums[row] for name, checksums in self._checksums.items()}

    def checked(self, clip: str) -> Views | None:
        """All rows of a clip, compared with their checksums; None if the clip is missing.

        Raises:
            ValueError: unknown clip, or a checksum differs; the message names file, clip and remedy.
        """
        if clip in self._missing:
            return None
        row, views = self._entry(clip, self._row, "clip"), len(self.views)
        for name, array in self._arrays.items():
            start, stop = self._offsets[name][row * views], self._offsets[name][(row + 1) * views]
            if _checksum(array[start:stop]) != self._checksums[name][row]:
                raise ValueError(_damaged(self.folder / f"{name}.npy", f"clip {clip!r} is not what was written"))
        return {view: {name: self.get(clip, name, view) for name in self._arrays} for view in self.views}

    def verify(self) -> None:
        """Compare all rows with their checksums; one clip's rows are in memory at a time.

        Raises:
            ValueError: as `checked`.
        """
        for clip in self.ids:
            self.checked(clip)

    def _slice(self, clip: str, array: str, view: str) -> tuple[int, int]:
        offsets = self._entry(array, self._offsets)
        index = self._entry(clip, self._row, "clip") * len(self.views) + self._entry(view, self._view)
        return int(offsets[index]), int(offsets[index + 1])

    def _entry(self, name: str, table: dict[str, Any], what: str = "") -> Any:
        try:
            return table[name]
        except KeyError:
            content = f"has {', '.join(table)}" if not what else f"has {len(table)} {what}s"
            raise ValueError(
                f"{self.folder}: no {name!r}; it {content}; run `dvc repro` if clips or params changed"
            ) from None


def write(
    folder: Path,
    views: list[str],
    clips: Iterable[tuple[str, Views | None]],
    facts: dict[str, Any],
    rejected: Rejected | None = None,
) -> None:
    """Write a whole feature folder clip by clip, in bounded memory; it replaces an older one at the end.

    Args:
        clips: (id, rows of every view) sorted by id; None for a clip without this modality. All clips have the same
            arrays, dtypes and row shapes.
        rejected: the clips without rows because of an error.

    Raises:
        OSError: no space left; an older folder is unchanged.
    """
    with whole_folder(folder) as partial:
        index = {"facts": facts, "views": views} | _write_rows(partial, views, clips)
        lines = ",\n".join(f'"{key}": {json.dumps(value, sort_keys=True)}' for key, value in index.items())
        text = f"{{\n{lines}{_OWN_CHECKSUM}"
        (partial / "index.json").write_text(f'{text}"{_checksum(text.encode())}"\n}}\n', encoding="utf-8")
        if rejected:
            write_rejected(partial / REJECTED, rejected)


def write_rejected(file: Path, rejected: Rejected) -> None:
    """Write a table of rejected clips: id,path,reason, sorted by id."""
    import pandas as pd

    rows = [(clip, *why) for clip, why in sorted(rejected.items())]
    tables.write_csv(file, pd.DataFrame(rows, columns=["id", "path", "reason"]))


def _write_rows(folder: Path, views: list[str], clips: Iterable[tuple[str, Views | None]]) -> dict[str, Any]:
    """Write the array files; returns their part of the index."""
    ids: list[str] = []
    missing: list[str] = []
    writers: dict[str, _ArrayWriter] = {}
    with ExitStack() as files:
        for clip, rows in clips:
            assert not ids or ids[-1] < clip, f"clips are not sorted by id: {ids[-1]} before {clip}"
            if rows is None:
                missing.append(clip)
            elif not writers:
                for name, array in rows[views[0]].items():
                    file = files.enter_context((folder / f"{name}.npy").open("wb"))
                    writers[name] = _ArrayWriter(file, array)
                    for _ in ids:  # the clips so far, all missing
                        writers[name].append([array[:0]] * len(views))
            ids.append(clip)
            for name, writer in writers.items():
                writer.append([writer.empty if rows is None else rows[view][name] for view in views])
        return {"missing": missing, "ids": ids, "arrays": {name: writer.finish() for name, writer in writers.items()}}


class _ArrayWriter:
    """Appends rows to a .npy file and completes its header at the end."""

    def __init__(self, file: BinaryIO, example: np.ndarray):
        self.file, self.empty = file, example[:0]
        self.lengths: list[int] = []
        self.checksums: list[str] = []
        self._header(0)

    def _header(self, rows: int) -> None:
        # numpy pads the header, so its size stays the same for any number of rows.
        content = {
            "descr": np.lib.format.dtype_to_descr(self.empty.dtype),
            "fortran_order": False,
            "shape": (rows, *self.empty.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(self.file, content)

    def append(self, clip: list[np.ndarray]) -> None:
        """Append the rows of a clip, view by view."""
        digest = _digest()
        for rows in clip:
            fits = rows.dtype == self.empty.dtype and rows.shape[1:] == self.empty.shape[1:]
            assert fits, f"{rows.dtype}{rows.shape} in {self.file.name}"
            content = np.ascontiguousarray(rows).data
            digest.update(content)
            self.file.write(content)
            self.lengths.append(len(rows))
        self.checksums.append(digest.hexdigest())

    def finish(self) -> dict[str, Any]:
        """Complete the header; returns the array's entry of the index."""
        shape = [sum(self.lengths), *self.empty.shape[1:]]
        self.file.seek(0)
        self._header(shape[0])
        self.file.flush()
        dtype = self.empty.dtype.str
        return {"dtype": dtype, "shape": shape, "lengths": self.lengths, "checksums": self.checksums}


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / "index.json"
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run `dvc repro` to extract these features")
    try:
        content = path.read_bytes()
        text = content[: content.rindex(_OWN_CHECKSUM.encode()) + len(_OWN_CHECKSUM)]
        index = json.loads(content)
    except ValueError as error:
        raise ValueError(_damaged(path, f"no index of this version ({error})")) from error
    if _checksum(text) != index["checksum"]:
        raise ValueError(_damaged(path, "its checksum differs"))
    return index


_OWN_CHECKSUM = ',\n"checksum": '  # the checksum covers all bytes before its value


def _digest() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=8)


def _checksum(content: bytes | np.ndarray) -> str:
    digest = _digest()
    digest.update(content if isinstance(content, bytes) else np.ascontiguousarray(content).data)
    return digest.hexdigest()


def _open_array(path: Path, entry: dict[str, Any]) -> np.ndarray:
    """The memory map of a file whose shape, dtype and size fit the index."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header may raise any error
        raise ValueError(_damaged(path, str(error) or type(error).__name__)) from error
    if list(array.shape) != entry["shape"] or array.dtype.str != entry["dtype"]:
        expected = f"{entry['dtype']} {entry['shape']}"
        raise ValueError(_damaged(path, f"holds {array.dtype.str} {list(array.shape)}, the index has {expected}"))
    header = array.offset if isinstance(array, np.memmap) else path.stat().st_size - array.nbytes
    if path.stat().st_size != header + array.nbytes:
        raise ValueError(_damaged(path, f"is {path.stat().st_size} bytes, expected {header + array.nbytes}"))
    return array


def _damaged(path: Path, reason: str) -> str:
    return f"{path}: {reason}; delete {path.parent} and run `dvc repro`"
