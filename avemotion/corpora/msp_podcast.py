"""MSP-Podcast: natural speech cut from podcasts, categories; valence, arousal, dominance from 1 to 7
(Lotfian & Busso 2019).

`Labels/labels_concensus.csv` (labels_consensus in newer releases, also as JSON) and `Audios/*.wav`. Votes come from the
single annotations in `Labels/labels_detailed.csv` (or JSON), if that file exists.
"""

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from avemotion.parsing import worker_votes
from avemotion.parsing.clip import Clip, Corpus, Reject
from avemotion.parsing.files import Rows, find_media, in_order, number, read_rows, read_text
from avemotion.parsing.votes import Votes

LABELS = [f"{folder}labels_con{c}ensus.{kind}" for folder in ("Labels/", "") for kind in ("csv", "json") for c in "cs"]
DETAILED = ("labels_detailed.csv", "labels_detailed.json")  # beside the consensus labels
EMOTIONS = {
    "A": "angry",
    "S": "sad",
    "H": "happy",
    "U": "surprised",
    "F": "fearful",
    "D": "disgust",
    "C": "contempt",
    "N": "neutral",
    "O": "other",
    "X": "no agreement",
}
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
PARTS = {"train": "train", "development": "val", "validation": "val"}
TEST = re.compile(r"test ?\d?")
GENDERS = {"male": "male", "female": "female"}


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section manifest.msp_podcast."""

    tests: list[Literal["Test", "Test1", "Test2", "Test3"]]  # test sets in use; clips of other test sets are left out

    def __post_init__(self) -> None:
        if not self.tests or len(set(self.tests)) != len(self.tests):
            raise ValueError(f"tests is {self.tests}; give [Test1], [Test2], [Test1, Test2] ...")


def list_clips(root: Path, params: Params) -> tuple[list[Clip], list[Reject]]:
    """The rows of the consensus labels that have a sound, including X (no agreement) and O (other) with their ratings.

    Speakers named Unknown count as one speaker per Split_Set: the sets have no common speaker, but the corpus does not
    identify these speakers within a set.

    Returns:
        clips sorted by id; rejects: rows of another form, missing sounds, sounds without a row (the labels of Test3 are
        not published), test sets left out, votes that match no label.

    Raises:
        ValueError: there are no consensus labels; a file is damaged; the annotations are of another release.
    """
    place = next((name for name in LABELS if (root / name).is_file()), None)
    if place is None:
        raise ValueError(f"{root} holds no Labels/labels_consensus.csv; name the folder that holds Labels and Audios")
    rows, uneven = (_read_json if place.endswith("json") else _read_csv)(root / place)
    sounds, rejects = find_media(root, {".wav": "audio"}, lambda path: path.stem, "")
    rejects += [Reject(f"{place}:{row}", "another number of cells than the header", lost=1) for row in uneven]
    clips, left_out, listed = [], Counter(), set()
    for row, cells in rows:
        clip_id = PurePosixPath(cells["FileName"]).stem
        sound = sounds.pop((clip_id, "audio"), None)
        part = _part(cells["Split_Set"], params)
        try:
            clip = _clip(clip_id, sound, cells, part)
        except ValueError as error:
            rejects.append(Reject(f"{place}:{row}", f"not a row of labels: {error}", lost=1))
            continue
        if part is None:
            left_out[cells["Split_Set"]] += 1
        elif clip_id in listed:
            rejects.append(Reject(f"{place}:{row}", f"listed twice, the first row is used: {clip_id}"))
        elif sound is None:
            rejects.append(Reject(f"Audios/{clip_id}.wav", "missing", lost=1))
        else:
            clips.append(clip)
        listed.add(clip_id)
    reason = "clips; manifest.msp_podcast.tests does not name it"
    rejects += [
        Reject(f"{place} Split_Set {name}", f"{count} {reason}", group=True) for name, count in left_out.items()
    ]
    if sounds:
        rejects.append(Reject("Audios/*.wav", f"{len(sounds)} sounds without a row in {place}", group=True))
    clips, unmatched = _with_votes(root, place, sorted(clips, key=lambda clip: clip.id), listed)
    return clips, in_order(rejects + unmatched)


def _with_votes(root: Path, place: str, clips: list[Clip], listed: Collection[str]) -> tuple[list[Clip], list[Reject]]:
    """The clips with the votes of single workers, where there are any.

    Votes of which none is for the clip's label are not used: consensus and votes then are of different annotations.

    Args:
        place: of the consensus labels, below root. listed: ids of its rows.
    """
    detailed = next((file for name in DETAILED if (file := (root / place).with_name(name)).is_file()), None)
    if detailed is None:
        return clips, []
    name = detailed.relative_to(root).as_posix()
    votes, rejects = worker_votes.read(detailed, name)
    unlisted = len(votes.keys() - set(listed))
    if votes and unlisted == len(votes):
        raise ValueError(
            f"{detailed}: none of its {len(votes)} files has a row in {place}; give both files of one release"
        )
    if unlisted:
        reason = f"votes for {unlisted} files without a row in {place}"
        rejects.append(Reject(f"{name} other files", reason, group=True))
    other = {clip.id for clip in clips if _contradicts(clip, votes.get(clip.id))}
    if other:
        first = min(other)
        reason = f"votes for {len(other)} clips, none of them for the label in {place}, the first {first}; not used"
        rejects.append(Reject(f"{name} other labels", reason, group=True))
    return [clip if clip.id in other else replace(clip, votes=votes.get(clip.id)) for clip in clips], rejects


def _contradicts(clip: Clip, votes: Votes | None) -> bool:
    return votes is not None and clip.emotion not in CORPUS.unlabelled and clip.emotion not in votes


def _read_csv(file: Path) -> tuple[Rows, list[int]]:
    return read_rows(read_text(file), file, COLUMNS)


def _read_json(file: Path) -> tuple[Rows, list[int]]:
    """{file name: {column: value}}; rows numbered from 1."""
    try:
        table = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: not valid JSON: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise ValueError(f"{file}: expected file names with their labels")
    rows = [
        (i, {name: str(row.get(name, "")).strip() for name in COLUMNS} | {"FileName": file_name})
        for i, (file_name, row) in enumerate(table.items(), 1)
    ]
    return rows, []


def _part(split_set: str, params: Params) -> str | None:
    name = split_set.lower()
    if TEST.fullmatch(name):
        return "test" if name.replace(" ", "").capitalize() in params.tests else None
    return PARTS.get(name, "")  # "": another value


def _clip(clip_id: str, sound: str | None, cells: dict[str, str], part: str | None) -> Clip:
    """Raises ValueError if a cell has an unexpected value."""
    if not re.fullmatch(r"[\w.-]+", clip_id) or clip_id.startswith("."):
        raise ValueError(f"FileName {cells['FileName']!r}")
    if cells["EmoClass"] not in EMOTIONS:
        raise ValueError(f"EmoClass {cells['EmoClass']!r}")
    if part == "":
        raise ValueError(f"Split_Set {cells['Split_Set']!r}")
    speaker = cells["SpkrID"]
    return Clip(
        id=clip_id,
        speaker=speaker if speaker.lower() not in ("", "unknown") else f"Unknown_{cells['Split_Set']}",
        gender=GENDERS.get(cells["Gender"].lower()),
        emotion=EMOTIONS[cells["EmoClass"]],
        audio=sound,
        valence=number(cells["EmoVal"]),
        arousal=number(cells["EmoAct"]),
        dominance=number(cells["EmoDom"]),
        part=part,
    )


CORPUS = Corpus(
    params=Params,
    list_clips=list_clips,
    emotions=None,
    coarse={
        "neutral": "neutral",
        "happy": "positive",
        "angry": "negative",
        "sad": "negative",
        "fearful": "negative",
        "disgust": "negative",
        "contempt": "negative",
        "surprised": "surprise",
    },
    unlabelled=frozenset({"other", "no agreement"}),
    scale=(1, 7),
    uniform=True,
    whole=None,
)
