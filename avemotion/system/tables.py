"""CSV and JSON files between stages: in one form, and never incomplete under their final name."""

from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.system.outputs import naming

if TYPE_CHECKING:
    import pandas as pd


def write_text(file: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name in the same folder, then rename.

    Raises:
        OSError: no space left, or no permission; an older file is unchanged.
    """
    with naming(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.part")
        try:
            # surrogateescape keeps file names that are not valid UTF-8.
            part.write_bytes(text.encode("utf-8", errors="surrogateescape"))
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def write_csv(file: Path, table: "pd.DataFrame") -> None:
    """Write a table: header, '\\n' line ends, empty cell = missing, floats in their shortest exact form."""
    write_text(file, table.to_csv(index=False, lineterminator="\n"))


def write_results(file: Path, table: "pd.DataFrame") -> None:
    """As write_csv, with floats to six decimals: for values that a model computed."""
    write_text(file, table.to_csv(index=False, lineterminator="\n", float_format="%.6f"))


def read_csv(file: Path, columns: tuple[str, ...], numbers: tuple[str, ...], remedy: str) -> "pd.DataFrame":
    """Read a table that write_csv wrote.

    Args:
        columns: the file's columns, in this order.
        numbers: the float64 columns (empty cell = NaN). The others are object columns of str (empty cell = None): an
            id of digits stays text, and the word "NA" stays a word.
        remedy: the advice in the error message.

    Raises:
        ValueError: the file is missing, has other columns, or has text in a column of numbers.
    """
    import pandas as pd

    if not file.is_file():
        raise ValueError(f"{file}: no such file; {remedy}")
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        table = pd.read_csv(stream, dtype=str, na_filter=False)
    if tuple(table.columns) != columns:
        raise ValueError(f"{file}: columns are {', '.join(table.columns)}, expected {', '.join(columns)}; {remedy}")
    for name in columns:
        if name in numbers:
            table[name] = _numbers(table[name], file, remedy)
        else:
            table[name] = pd.Series([value or None for value in table[name]], index=table.index, dtype=object)
    return table


def _numbers(column: "pd.Series", file: Path, remedy: str) -> "pd.Series":
    import pandas as pd

    try:
        return pd.Series([float(value) if value else float("nan") for value in column], column.index, dtype="float64")
    except ValueError as error:
        raise ValueError(f"{file} column {column.name}: {error}; {remedy}") from error
