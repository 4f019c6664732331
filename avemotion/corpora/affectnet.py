"""AffectNet: faces from the web, 8 emotions, valence and arousal (Mollahosseini et al. 2019, IEEE TAC 10(1)).

Two layouts, both of the manually annotated part:

    train_set|val_set/images/N.jpg, annotations/N_{exp,val,aro}.npy    the eight emotions alone
    training.csv, validation.csv, and the pictures that they name      with faces that show none of them

The authors keep their test set. As in the literature, their validation set is the test part here; a share of the
training pictures validates (manifest.faces.held_out). labels.csv has valence and arousal, from -1 to 1.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from avemotion.media.stills import SUFFIXES
from avemotion.parsing.clip import Clip, Corpus, Reject, missing, walk
from avemotion.parsing.files import in_order

EMOTIONS = ("neutral", "happy", "sad", "surprised", "fearful", "disgust", "angry", "contempt")  # ids 0-7
OTHER = {8: "none", 9: "uncertain", 10: "no face"}  # ids of the tables alone
SETS = {"train_set": "train", "val_set": "test"}
TABLES = {"training.csv": "train", "validation.csv": "test"}
TABLE_FOLDERS = (".", "Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_file_lists")
PICTURE_FOLDERS = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", ".")
# Columns by name, and their places in a table without header, as validation.csv is in some copies.
COLUMNS = {"subDirectory_filePath": 0, "expression": 6, "valence": 7, "arousal": 8}
NO_RATING = -2.0  # valence and arousal of faces without an emotion


@dataclass(frozen=True, kw_only=True)
class Row:
    """One annotated face."""

    picture: str  # POSIX path below the root
    part: str
    place: str  # of the annotation
    values: tuple[float, float, float] | str  # expression, valence and arousal; or why there are none


def list_clips(root: Path, params: None) -> tuple[list[Clip], list[Reject]]:
    """The pictures with one of the eight emotions.

    The people are unknown, so each picture counts as a speaker of its own.

    Returns:
        clips sorted by id; rejects: faces of none of the emotions, pictures and annotations without each other, values
        that cannot be.

    Raises:
        ValueError: the root has neither layout.
    """
    if any((root / name / "annotations").is_dir() for name in SETS):
        return _clips(root, _of_folders(root), tuple(SETS))
    tables = {name: file for name in TABLES if (file := _first(root, name))}
    if not tables:
        raise ValueError(
            f"{root} has no train_set/annotations and no training.csv (also in Manually_Annotated_file_lists); "
            "name the folder that holds AffectNet"
        )
    base = next(folder for folder in PICTURE_FOLDERS if (root / folder).is_dir())
    rows = (row for name, file in tables.items() for row in _of_table(root, file, TABLES[name], PurePosixPath(base)))
    return _clips(root, rows, (base,))


def _clips(root: Path, rows: Iterable[Row], folders: tuple[str, ...]) -> tuple[list[Clip], list[Reject]]:
    """Clips and rejects of the rows; folders: those that hold the pictures."""
    pictures = {path for path in walk(root) if PurePosixPath(path).suffix.lower() in SUFFIXES}
    clips: dict[str, Clip] = {}
    rejects: list[Reject] = []
    absent, annotated, wanted = [], set(), 0
    for row in rows:
        annotated.add(row.picture)
        try:
            emotion, valence, arousal = _labels(row.values)
        except ValueError as error:
            rejects.append(Reject(row.place, str(error)))
            continue
        wanted += 1
        clip_id = f"{row.part}_{PurePosixPath(row.picture).stem}"
        if row.picture not in pictures:
            absent.append(row.picture)
        elif clip_id in clips:
            rejects.append(Reject(row.place, f"double: the name is used by {clips[clip_id].video}"))
        else:
            labels = {"emotion": emotion, "valence": valence, "arousal": arousal, "gender": None}
            clips[clip_id] = Clip(id=clip_id, speaker=clip_id, video=row.picture, part=row.part, **labels)
    rejects += missing(absent, wanted, "of the annotations", "the face is not used")
    alone = (path for path in pictures - annotated if any(PurePosixPath(path).is_relative_to(at) for at in folders))
    rejects += [Reject(path, "picture without annotation") for path in alone]
    return [clips[clip_id] for clip_id in sorted(clips)], in_order(rejects)


def _labels(values: tuple[float, float, float] | str) -> tuple[str, float | None, float | None]:
    """Emotion, valence and arousal of a face.

    Raises:
        ValueError: it has none of the eight emotions, or a value cannot be.
    """
    if isinstance(values, str):
        raise ValueError(values)
    expression, *ratings = values
    if expression in OTHER:
        raise ValueError(f"none of the eight emotions: {OTHER[int(expression)]}")
    if expression not in range(len(EMOTIONS)):
        raise ValueError(f"expression is none of the ids from 0 to 10: {expression:g}")
    if wrong := [value for value in ratings if value != NO_RATING and not -1 <= value <= 1]:
        raise ValueError(f"valence or arousal outside -1 to 1: {wrong[0]:g}")
    valence, arousal = (None if value == NO_RATING else value for value in ratings)
    return EMOTIONS[int(expression)], valence, arousal


def _of_folders(root: Path) -> Iterator[Row]:
    for name, part in SETS.items():
        folder = root / name / "annotations"
        for file in sorted(folder.glob("*_exp.npy")) if folder.is_dir() else ():
            stem = file.name.removesuffix("_exp.npy")
            yield Row(
                picture=f"{name}/images/{stem}.jpg",
                part=part,
                place=file.relative_to(root).as_posix(),
                values=_stored([folder / f"{stem}_{kind}.npy" for kind in ("exp", "val", "aro")]),
            )


def _stored(files: list[Path]) -> tuple[float, float, float] | str:
    """The values of three arrays of one element, a number or its text; or which of them has none."""
    values = []
    for file in files:
        try:
            values.append(float(np.load(file, allow_pickle=False).item()))
        except (OSError, ValueError, EOFError) as error:
            kind = "annotation missing" if isinstance(error, FileNotFoundError) else "annotation is no number"
            return f"{kind}: {file.name}"
    return values[0], values[1], values[2]


def _of_table(root: Path, file: Path, part: str, base: PurePosixPath) -> Iterator[Row]:
    """Rows of a table; its landmarks take hundreds of megabytes, so it is read line by line."""
    columns = COLUMNS
    with file.open(encoding="utf-8-sig", newline="") as stream:
        for number, cells in enumerate(csv.reader(stream), 1):
            if number == 1 and "expression" in cells:
                if lacking := sorted(COLUMNS.keys() - set(cells)):
                    raise ValueError(f"{file}: no column {', '.join(lacking)}; the header is {cells}")
                columns = {name: cells.index(name) for name in COLUMNS}
            elif cells:
                place = f"{file.relative_to(root).as_posix()}:{number}"
                path, values = _cells(cells, [*columns.values()])
                yield Row(picture=(base / path).as_posix(), part=part, place=place, values=values)


def _cells(cells: list[str], places: list[int]) -> tuple[str, tuple[float, float, float] | str]:
    """The path of a row's picture and its values."""
    try:
        path, expression, valence, arousal = (cells[place].strip() for place in places)
        return path, (float(expression), float(valence), float(arousal))
    except (IndexError, ValueError):
        return cells[0], "row without expression, valence and arousal"


def _first(root: Path, name: str) -> Path | None:
    return next((file for folder in TABLE_FOLDERS if (file := root / folder / name).is_file()), None)


CORPUS = Corpus(
    params=None,
    list_clips=list_clips,
    emotions=EMOTIONS,
    coarse={
        "neutral": "neutral",
        "happy": "positive",
        "surprised": "surprise",
        **dict.fromkeys(("sad", "fearful", "disgust", "angry", "contempt"), "negative"),
    },
    unlabelled=frozenset(),
    scale=(-1, 1),
    uniform=True,
    whole=None,
    stills=True,
)
