"""The recordings of a command line: files, folders, and a list of files on standard input."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

STDIN = Path("-")
OUTPUTS = (".txt", ".json", ".csv", ".srt", ".vtt", ".TextGrid")
RESERVED = ("predictions", "left_out")  # names of tables beside the outputs


def files_of(paths: Iterable[Path], out: Path | None = None) -> dict[Path, Path]:
    """Files, including those in folders, without hidden ones -> their paths within the folder that was given.

    Args:
        out: folder of the outputs, which are no recordings; it may be the folder of these.

    Raises:
        ValueError: a path does not exist, a folder is empty, or standard input lists no file.
    """
    files: dict[Path, Path] = {}
    for path in (each for given in paths for each in (_listed() if given == STDIN else [given])):
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        if not path.is_dir():
            files.setdefault(path, Path(path.name))
            continue
        within = sorted(p for p in path.rglob("*") if (p.is_file() or _broken_link(p)) and not p.name.startswith("."))
        within = [p for p in within if out is None or p.suffix not in OUTPUTS or not p.is_relative_to(out)]
        if not within:
            raise ValueError(f"{path}: an empty folder; give one with recordings")
        for file in within:
            files.setdefault(file, file.relative_to(path))
    return files


def names(files: dict[Path, Path]) -> dict[Path, str]:
    """A name for the outputs of each file: its path within the folder that was given, without suffix.

    Files that would share a name keep their suffixes; those that still do are numbered.
    """
    short = {file: str(within.with_suffix("")) for file, within in files.items()}
    taken = Counter([*RESERVED, *(name.casefold() for name in short.values())])
    longer = {file: name if taken[name.casefold()] == 1 else str(files[file]) for file, name in short.items()}
    taken = Counter(name.casefold() for name in longer.values())
    count: Counter[str] = Counter()
    numbered = {}
    for file, name in longer.items():
        count[name.casefold()] += 1
        numbered[file] = name if taken[name.casefold()] == 1 else f"{name}_{count[name.casefold()]}"
    return numbered


def plot_name(plot: Path, file: Path, files: Sequence[Path]) -> Path:
    """The picture of a file: `plot` itself for a single file, else with the file's name added."""
    if len(files) <= 1:
        return plot
    same = [other for other in files if other.stem == file.stem]
    number = f"_{same.index(file) + 1}" if len(same) > 1 else ""
    return plot.with_name(f"{plot.stem}_{file.stem}{number}{plot.suffix}")


def _listed() -> list[Path]:
    """The files of standard input, one a line, or separated by NUL as `find -print0` writes them."""
    text = sys.stdin.read()
    names = text.split("\0") if "\0" in text else text.splitlines()
    if not (paths := [Path(name) for name in names if name.strip()]):
        raise ValueError("-: standard input lists no file; write one path a line")
    return paths


def _broken_link(path: Path) -> bool:
    """Whether path is a link without a target; such a link is reported as a failed file."""
    return path.is_symlink() and not path.exists()
