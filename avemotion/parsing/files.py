"""Readers of label files and media of corpora. Any content gives rows, rejects or one clear error."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from avemotion.parsing.clip import Reject, walk


def read_text(file: Path) -> str:
    """The text of a file in UTF-8 (with or without byte-order mark), or in Windows-1252 or Latin-1 for older files.

    Raises:
        ValueError: the file cannot be opened.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); repair it or its permissions") from error
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


Rows = list[tuple[int, dict[str, str]]]  # row number as a spreadsheet shows it (header = 1), column -> stripped cell


def read_rows(text: str, place: Path, required: Iterable[str]) -> tuple[Rows, list[int]]:
    """Rows of comma-separated text by the names of its header, without blank rows.

    Args:
        place: the file, for error messages.

    Returns:
        the rows; the numbers of rows with more or fewer cells than the header.

    Raises:
        ValueError: the text is no CSV, a column occurs twice, or a required column is missing.
    """
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"{place}: not a comma-separated table ({error}); save it as CSV in UTF-8") from error
    header = [name.strip() for name in lines[0]] if lines else []
    if missing := [name for name in required if name not in header]:
        hint = "; separate the columns by commas" if any(mark in "".join(header) for mark in ";\t") else ""
        raise ValueError(f"{place}: no column {', '.join(missing)}; the header is {', '.join(header)[:200]!r}{hint}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ValueError(f"{place}: column {', '.join(twice)} occurs twice; remove one of the two")
    rows, uneven = [], []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) == len(header):
            rows.append((number, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}))
        else:
            uneven.append(number)
    return rows, uneven


def number(cell: str) -> float | None:
    """A finite number; None for an empty cell or NaN (no rating).

    Raises:
        ValueError: anything else.
    """
    if cell.lower() in ("", "nan", "na", "none"):
        return None
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(f"{cell} is not finite")
    return value


def find_media(
    root: Path, kinds: Mapping[str, str], identify: Callable[[PurePosixPath], str | None], scheme: str
) -> tuple[dict[tuple[str, str], str], list[Reject]]:
    """Media below root by clip id and kind.

    Args:
        kinds: suffix in lower case -> "audio" or "video"; files with other suffixes are ignored.
        identify: path below root -> clip id, or None for a name that is not of this corpus.
        scheme: the form of the names, for the rejects.

    Returns:
        (id, kind) -> path, the least nested one if a name occurs twice; rejects for duplicate and foreign names.
    """
    files, rejects = {}, []
    for path in walk(root):
        pure = PurePosixPath(path)
        if (kind := kinds.get(pure.suffix.lower())) is None:
            continue
        if (clip_id := identify(pure)) is None:
            rejects.append(Reject(path, f"name is not {scheme}"))
        elif (first := files.setdefault((clip_id, kind), path)) != path:
            rejects.append(Reject(path, f"double: the name is used by {first}"))
    return files, rejects


def in_order(rejects: Iterable[Reject]) -> list[Reject]:
    """Sorted by path, then reason."""
    return sorted(rejects, key=lambda reject: (reject.path, reject.reason))
