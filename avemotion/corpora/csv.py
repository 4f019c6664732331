"""A user's table: one row per clip, with media anywhere below the corpus root.

Columns, in any order; only id, speaker and one of audio and video are required; an empty cell means no value:

    id        unique, usable as a file name
    audio     path below the root of this clip's own recording; of a film, only the sound is used
    video     path below the root; with manifest.csv.cut_video, only its part from start to end is used
    emotion   category; the emotion role leaves out rows without one
    votes     of raters, as in: angry 3, sad 1; for manifest.emotion.target: soft
    valence, arousal, dominance    within manifest.csv.scale; in the affect role, rows without them are context
    speaker   splits keep the rows of a speaker together
    gender    male or female
    dialogue  rows of a dialogue are its turns, in the order of start, or of the table if start is empty
    start, end    seconds within the dialogue
    split     train, val or test, or the number of a fold; for manifest.<role>.split: given
    text      the spoken words
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from avemotion.parsing.clip import Clip, Corpus, Reject
from avemotion.parsing.files import number, read_rows
from avemotion.parsing.votes import parse as parse_votes

NUMBERS = ("valence", "arousal", "dominance", "start", "end")
COLUMNS = (
    *("id", "audio", "video", "emotion", "valence", "arousal", "dominance"),
    *("speaker", "gender", "dialogue", "start", "end", "split", "text"),
)
OPTIONAL = ("votes",)  # not in the template
TEMPLATE = f"""{",".join(COLUMNS)}
one,wav/one.wav,films/one.mp4,happy,4.5,3.5,,Ada,female,,,,train,
two_1,wav/two_1.wav,,neutral,3,2.5,3,Ben,male,two,0.0,2.25,test,Good morning
two_2,wav/two_2.wav,,,,,,Cleo,,two,2.5,4.0,test,"Is it, really?"
"""
SHOWN = 5  # faults named in one error


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section manifest.csv."""

    table: str  # file below the corpus root
    scale: list[float] | None  # lowest and highest rating of valence, arousal and dominance; null = no ratings
    cut_video: bool  # true: a film has many rows, each from start to end; false: one film per row

    def __post_init__(self) -> None:
        if self.scale is not None and not (len(self.scale) == 2 and self.scale[0] < self.scale[1]):
            raise ValueError(f"scale is {self.scale}; give [lowest, highest] rating, or null")


def list_clips(root: Path, params: Params) -> tuple[list[Clip], list[Reject]]:
    """The rows of the table as sorted clips, without rejects: missing files are rejected when media are read.

    Raises:
        ValueError: the table is missing, or some of its cells are wrong; the message names the rows, with the header as
            row 1.
    """
    file = root / params.table
    if not file.is_file():
        raise ValueError(
            f"{file} is no file; name the table in manifest.csv.table "
            "(`python -m stages.manifest --template` prints a small one)"
        )
    try:
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 (byte {error.start}); save it as CSV in UTF-8") from error
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); repair it or its permissions") from error
    rows, uneven = read_rows(content, file, ("id", "speaker"))
    faults = [(row, "has more or fewer cells than the header; quote text that holds a comma") for row in uneven]
    if rows:
        named = rows[0][1]
        if unknown := sorted(set(named) - {*COLUMNS, *OPTIONAL}):
            known = ", ".join((*COLUMNS, *OPTIONAL))
            raise ValueError(f"{file}: unknown column {', '.join(unknown)}; known are {known}")
        if not {"audio", "video"} & set(named):
            raise ValueError(f"{file}: no column audio or video; name the media of each row")
    full = [(row, dict.fromkeys((*COLUMNS, *OPTIONAL), "") | cells) for row, cells in rows]
    faults += [(row, fault) for row, cells in full for fault in _cell_faults(cells, params)]
    faults += _row_faults(full, params)
    emotions = {cells["emotion"] for _, cells in full}
    faults += [(row, fault) for row, cells in full for fault in _vote_faults(cells["votes"], emotions)]
    if faults:
        listed = "\n  ".join(f"row {row}: {fault}" for row, fault in sorted(faults)[:SHOWN])
        more = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise ValueError(f"{file}:\n  {listed}{more}")
    turns = _turns(full)
    return sorted((_clip(cells, turns, params) for _, cells in full), key=lambda clip: clip.id), []


def _cell_faults(cells: dict[str, str], params: Params) -> Iterator[str]:
    """Faults of one row."""
    if not cells["id"] or cells["id"] in (".", "..") or not cells["id"].isprintable() or "/" in cells["id"]:
        yield f"id {cells['id']!r} is empty or no file name"
    if not cells["speaker"]:
        yield "speaker is empty; name one, or every row its own"
    if not cells["audio"] and not cells["video"]:
        yield "audio and video are empty; name one"
    for name in ("audio", "video"):
        path = PurePosixPath(cells[name])
        if path.is_absolute() or ".." in path.parts or "\0" in cells[name]:
            yield f"{name} {cells[name]!r} is not below the corpus root; give a path relative to it"
    if cells["gender"] not in ("", "male", "female"):
        yield f"gender is {cells['gender']!r}; write male, female or nothing"
    if cells["split"] not in ("", "train", "val", "test") and not re.fullmatch("[1-9][0-9]{0,3}", cells["split"]):
        yield f"split is {cells['split']!r}; write train, val, test, or the number of a fold"
    values = {}
    for name in NUMBERS:
        try:
            values[name] = number(cells[name])
        except ValueError:
            yield f"{name} is {cells[name]!r}, which is no number; use a point for decimals"
    for name in NUMBERS[:3]:
        value = values.get(name)
        if params.scale and value is not None and not params.scale[0] <= value <= params.scale[1]:
            low, high = params.scale
            yield f"{name} is {value:g}, outside manifest.csv.scale ({low:g} to {high:g})"
    start, end = values.get("start"), values.get("end")
    if (start is not None and start < 0) or (start is not None and end is not None and end <= start):
        yield f"start {start:g} and end {cells['end']} are no stretch of time"
    if params.cut_video and cells["video"] and (start is None or end is None):
        yield "start and end are needed to cut video; give both, or set manifest.csv.cut_video: false"


def _row_faults(rows: list[tuple[int, dict[str, str]]], params: Params) -> Iterator[tuple[int, str]]:
    """Faults in the combination of rows."""
    ids: dict[str, int] = {}
    sounds: dict[str, int] = {}
    films: dict[str, int] = {}
    timed: dict[str, int] = {}
    for row, cells in rows:
        if (first := ids.setdefault(cells["id"], row)) != row:
            yield row, f"id {cells['id']!r} is that of row {first} too"
        if cells["audio"] and (first := sounds.setdefault(cells["audio"], row)) != row:
            yield row, f"audio is that of row {first} too; cut the recording into one file a row"
        if cells["video"] and not params.cut_video and (first := films.setdefault(cells["video"], row)) != row:
            yield (
                row,
                f"video is that of row {first} too; set manifest.csv.cut_video: true if start and end lie within it",
            )
        if cells["dialogue"]:
            first = timed.setdefault(cells["dialogue"], row if cells["start"] else -row)
            if (first > 0) != bool(cells["start"]):
                yield row, f"dialogue {cells['dialogue']} has a start in some rows only; fill in all or none"


def _vote_faults(cell: str, emotions: set[str]) -> Iterator[str]:
    try:
        named = parse_votes(cell) if cell else {}
    except ValueError as error:
        yield f"votes is {cell!r}: {error}"
    else:
        if unknown := sorted(set(named) - emotions):
            yield f"votes names {', '.join(unknown)}, which is the emotion of no row; correct the name"


def _turns(rows: list[tuple[int, dict[str, str]]]) -> dict[str, int]:
    """Clip id -> index in its dialogue."""
    dialogues: dict[str, list[tuple[float, int, str]]] = {}
    for row, cells in rows:
        if cells["dialogue"]:
            dialogues.setdefault(cells["dialogue"], []).append((number(cells["start"]) or 0.0, row, cells["id"]))
    return {clip_id: i for turns in dialogues.values() for i, (_, _, clip_id) in enumerate(sorted(turns))}


def _clip(cells: dict[str, str], turns: dict[str, int], params: Params) -> Clip:
    values = {name: number(cells[name]) for name in NUMBERS}
    cut = params.cut_video and bool(cells["video"])
    return Clip(
        id=cells["id"],
        **{name: cells[name] or None for name in ("audio", "video", "emotion", "gender", "dialogue", "text")},
        **values,
        votes=parse_votes(cells["votes"]) if cells["votes"] else None,
        speaker=cells["speaker"],
        turn=turns.get(cells["id"]),
        part=cells["split"] or None,
        video_start=values["start"] if cut else None,
        video_end=values["end"] if cut else None,
    )


CORPUS = Corpus(
    params=Params,
    list_clips=list_clips,
    emotions=None,
    coarse={
        **dict.fromkeys(("neutral", "calm"), "neutral"),
        **dict.fromkeys(("happy", "happiness", "joy", "excited", "amused"), "positive"),
        **dict.fromkeys(("sad", "sadness", "angry", "anger", "fearful", "fear", "disgust", "contempt"), "negative"),
        **dict.fromkeys(("surprised", "surprise"), "surprise"),
    },
    unlabelled=frozenset(),
    scale=None,
    uniform=False,
    whole=None,
)
