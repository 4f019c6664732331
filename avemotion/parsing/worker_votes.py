"""Single annotations of MSP-Podcast, one row for each worker and file: labels_detailed.csv, or the same as JSON."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from avemotion.parsing.clip import Reject
from avemotion.parsing.files import read_rows, read_text
from avemotion.parsing.votes import Votes

FILE, CATEGORY = "FileName", "EmoClass_Major"  # EmoClass_Second, several categories in one cell, is no vote
OTHER = "other"
CATEGORIES = {
    **{name: name for name in ("angry", "sad", "happy", "disgust", "contempt", "neutral", OTHER)},
    **{"surprise": "surprised", "surprised": "surprised", "fear": "fearful", "fearful": "fearful"},
}


def read(file: Path, place: str) -> tuple[dict[str, Votes], list[Reject]]:
    """Clip id -> number of workers for each category, by the names of the consensus labels; what is not used.

    A worker may write a category of his or her own, such as "Other-confused"; it counts as other.

    Args:
        file: a .csv with the columns FileName and EmoClass_Major, or a .json {file name: {worker: {column: value}}}.
        place: the file below the corpus root, for rejects.

    Raises:
        ValueError: the file is damaged or of another form.
    """
    rows, uneven = (_read_json if file.suffix == ".json" else _read_csv)(file)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    unknown: Counter[str] = Counter()
    empty = 0
    for name, category in rows:
        word = category.lower()
        if not word:
            empty += 1
            continue
        if word not in CATEGORIES and not word.startswith(OTHER):
            unknown[category] += 1
        counts[PurePosixPath(name).stem][CATEGORIES.get(word, OTHER)] += 1
    rejects = [Reject(f"{place}:{row}", "another number of cells than the header") for row in uneven]
    if empty:
        rejects.append(Reject(f"{place} without {CATEGORY}", f"{empty} annotations name no category", group=True))
    rejects += [
        Reject(f"{place} {category}", f"{count} votes for an unknown category; they count as {OTHER}", group=True)
        for category, count in sorted(unknown.items())
    ]
    votes = {clip: {name: float(count) for name, count in of.items()} for clip, of in counts.items()}
    return votes, rejects


def _read_csv(file: Path) -> tuple[Iterator[tuple[str, str]], list[int]]:
    rows, uneven = read_rows(read_text(file), file, (FILE, CATEGORY))
    return ((cells[FILE], cells[CATEGORY]) for _, cells in rows), uneven


def _read_json(file: Path) -> tuple[Iterator[tuple[str, str]], list[int]]:
    try:
        table = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: not valid JSON: {error}") from error
    form = f"{file}: expected file names, each with workers, each with {CATEGORY}"
    if not isinstance(table, dict):
        raise ValueError(form)
    for name, workers in table.items():
        if not isinstance(workers, dict) or not all(
            isinstance(of, dict) and isinstance(of.get(CATEGORY, ""), str) for of in workers.values()
        ):
            raise ValueError(f"{form}; not so at {name}")
    pairs = ((name, of.get(CATEGORY, "").strip()) for name, workers in table.items() for of in workers.values())
    return pairs, []
