"""MELD: dialogues of a TV series, 7 emotions, three given partitions (Poria et al. 2019).

`{train,dev,test}_sent_emo.csv` and `diaX_uttY.mp4` in one folder per partition. Every partition has the same names.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole, walk
from avemotion.parsing.files import in_order, read_rows, read_text

PARTS = {"train": "train", "dev": "val", "test": "test"}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID", "StartTime", "EndTime")
EMOTIONS = ("neutral", "joy", "sadness", "anger", "fear", "disgust", "surprise")
FILM = re.compile(r"dia\d+_utt\d+")
TIME = re.compile(r"([0-9]+):([0-9]+):([0-9]+)[,.]([0-9]+)")
# The published films of these two are minutes longer than the utterance.
OVERLONG = {"test_dia38_utt4", "test_dia220_utt0"}


def list_clips(root: Path, params: None) -> tuple[list[Clip], list[Reject]]:
    """The utterances of the tables, each with its film, which has the picture and the sound.

    An id is such as train_dia0_utt0. Utterance_ID gives the order of the turns; start and end are seconds within the
    episode. The name of a folder above a film gives its partition.

    Returns:
        clips sorted by id; rejects: rows of another form; missing, overlong and unnamed films.

    Raises:
        ValueError: a table is missing or damaged.
    """
    tables, films, rejects, left_out = {}, {}, [], Counter()
    for path in walk(root):
        pure = PurePosixPath(path)
        if pure.name.endswith("_sent_emo.csv") and (part := pure.name.removesuffix("_sent_emo.csv")) in PARTS:
            tables.setdefault(part, path)
        elif pure.suffix.lower() == ".mp4":
            part = _partition(pure)
            if FILM.fullmatch(pure.stem) and part:
                if (first := films.setdefault(f"{part}_{pure.stem}", path)) != path:
                    rejects.append(Reject(path, f"double: the name is used by {first}"))
            else:
                left_out[(pure.parent / "*.mp4").as_posix()] += 1
    if absent := [part for part in PARTS if part not in tables]:
        raise ValueError(f"{root} holds no {absent[0]}_sent_emo.csv; name the folder that holds MELD's three tables")
    reason = "films of another name than diaX_uttY, or in no folder of train, dev or test"
    rejects += [Reject(pattern, f"{count} {reason}", group=True) for pattern, count in left_out.items()]
    clips = []
    for part, table in tables.items():
        for clip in _utterances(root / table, table, part, rejects):
            film = films.pop(clip.id, None)
            if film is None:
                rejects.append(Reject(f"{part}/{clip.id.removeprefix(f'{part}_')}.mp4", "missing", lost=1))
            elif clip.id in OVERLONG:
                rejects.append(Reject(film, "runs for minutes after the utterance, as published", lost=1))
            else:
                clips.append(Clip(**vars(clip) | {"audio": film, "video": film}))
    rejects += [Reject(path, "no row of this name in the partition's table") for path in films.values()]
    return sorted(clips, key=lambda clip: clip.id), in_order(rejects)


def _partition(path: PurePosixPath) -> str | None:
    """train, dev or test: the word in the name of the nearest folder, such as output_repeated_splits_test."""
    for folder in path.parents:
        for part in PARTS:
            if part in re.split(r"[^a-z]+", folder.name.lower()):
                return part
    return None


def _utterances(file: Path, place: str, part: str, rejects: list[Reject]) -> list[Clip]:
    """Clips without media, in the order of the table."""
    rows, uneven = read_rows(read_text(file), file, COLUMNS)
    rejects += [Reject(f"{place}:{number}", "another number of cells than the header", lost=1) for number in uneven]
    utterances: dict[tuple[int, int], dict[str, str]] = {}
    for number, row in rows:
        here = f"{place}:{number}"
        numbers = [row[name] for name in ("Dialogue_ID", "Utterance_ID")]
        if not all(re.fullmatch(r"[0-9]{1,6}", cell) for cell in numbers) or not row["Speaker"]:
            rejects.append(Reject(here, "no Speaker, or Dialogue_ID and Utterance_ID are no numbers", lost=1))
        elif row["Emotion"].lower() not in EMOTIONS:
            rejects.append(Reject(here, f"Emotion is none of {', '.join(EMOTIONS)}: {row['Emotion']}", lost=1))
        elif utterances.setdefault((int(numbers[0]), int(numbers[1])), row) is not row:
            rejects.append(Reject(here, "listed twice, the first row is used"))
    turns, clips = Counter(), []
    for (dialogue, utterance), row in sorted(utterances.items()):
        clips.append(
            Clip(
                id=f"{part}_dia{dialogue}_utt{utterance}",
                speaker=row["Speaker"],
                gender=None,
                emotion=row["Emotion"].lower(),
                dialogue=f"{part}_dia{dialogue}",
                turn=turns[dialogue],
                start=_seconds(row["StartTime"]),
                end=_seconds(row["EndTime"]),
                text=" ".join(row["Utterance"].split()) or None,
                part=PARTS[part],
            )
        )
        turns[dialogue] += 1
    return clips


def _seconds(time: str) -> float | None:
    match = TIME.fullmatch(time)
    if not match or len(time) > 20:
        return None
    hours, minutes, seconds, milliseconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{milliseconds}")


def whole(params: None) -> Whole:
    """Rows of the three tables; the films of three of them are missing or overlong as published."""
    counts = (6436, 2308, 1002, 1607, 358, 361, 1636)
    parts = {"train": 9989, "val": 1109, "test": 2610}
    return Whole(clips=13708, groups={"emotion": dict(zip(EMOTIONS, counts, strict=True)), "part": parts})


CORPUS = Corpus(
    params=None,
    list_clips=list_clips,
    emotions=EMOTIONS,
    coarse={
        "neutral": "neutral",
        "joy": "positive",
        "sadness": "negative",
        "anger": "negative",
        "fear": "negative",
        "disgust": "negative",
        "surprise": "surprise",
    },
    unlabelled=frozenset(),
    scale=None,
    uniform=True,
    whole=whole,
)
