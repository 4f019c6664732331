"""FER-2013: 35,887 grey faces of 48 x 48 pixels from the web, 7 emotions (Goodfellow et al. 2013).

`train|test/<emotion>/*.jpg`, or the table of the challenge, fer2013.csv or icml_face_data.csv, with its columns
emotion, pixels and Usage. Folders have 28,709 and 7,178 pictures; the table divides the latter into validation and
test.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole
from avemotion.parsing.picture_folders import list_pictures

TABLES = ("fer2013.csv", "icml_face_data.csv")
NUMBERED = ("angry", "disgust", "fearful", "happy", "sad", "surprised", "neutral")  # ids 0-6 of the table
FOLDERS = {"fear": "fearful", "surprise": "surprised"} | {name: name for name in NUMBERED}
USAGE = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
COUNTS = (4953, 547, 5121, 8989, 6077, 4002, 6198)  # pictures of each emotion


def list_clips(root: Path, params: None) -> tuple[list[Clip], list[Reject]]:
    """The pictures of the folders, or of the table if the root has one.

    Returns:
        clips sorted by id; rejects: as in parsing/picture_folders.py, and rows of the table without emotion or part.
    """
    table = next((name for name in TABLES if (root / name).is_file()), None)
    return list_pictures(root, FOLDERS) if table is None else _rows(root, table)


def _rows(root: Path, table: str) -> tuple[list[Clip], list[Reject]]:
    clips, rejects = [], []
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with (root / table).open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        names = [name.strip() for name in next(reader, [])]
        if missing := {"emotion", "pixels", "Usage"} - set(names):
            raise ValueError(f"{root / table}: no column {', '.join(sorted(missing))}; the header is {names}")
        emotion, usage = names.index("emotion"), names.index("Usage")
        for row, cells in enumerate((cells for cells in reader if cells), 1):
            path = f"{table}/{row}"
            try:
                label, part = NUMBERED[int(cells[emotion])], USAGE[cells[usage].strip()]
            except (IndexError, KeyError, ValueError):
                rejects.append(Reject(path, "row without an emotion from 0 to 6 or a usage of the challenge"))
                continue
            name = f"{part}_{row:05d}"
            clips.append(Clip(id=name, speaker=name, gender=None, emotion=label, video=path, part=part))
    return sorted(clips, key=lambda clip: clip.id), rejects


def whole(params: None) -> Whole:
    """Contents of a complete copy."""
    return Whole(clips=sum(COUNTS), groups={"emotion": Counter(dict(zip(NUMBERED, COUNTS, strict=True)))})


CORPUS = Corpus(
    params=None,
    list_clips=list_clips,
    emotions=NUMBERED,
    coarse={
        "neutral": "neutral",
        "happy": "positive",
        "surprised": "surprise",
        **dict.fromkeys(("angry", "disgust", "fearful", "sad"), "negative"),
    },
    unlabelled=frozenset(),
    scale=None,
    uniform=True,
    whole=whole,
    stills=True,
)
