"""IEMOCAP: dyadic dialogues, 5 sessions x 2 speakers, with ratings of every turn (Busso et al. 2008).

Files: `SessionN/dialog/{EmoEvaluation,transcriptions,avi/DivX}` and `SessionN/sentences/wav`.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole, missing
from avemotion.parsing.files import read_text
from avemotion.parsing.votes import Votes

DIALOGUE = re.compile(r"Ses(?P<session>0\d)(?P<wearer>[FM])_(?P<part>impro|script)\w+")
NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
TURN = re.compile(rf"\[{NUMBER}-{NUMBER}\]\s+(\S+)\s+([a-z]+)\s+\[{NUMBER},{NUMBER},{NUMBER}\]\s*")
UTTERANCE = re.compile(r"(?P<dialogue>\w+)_(?P<speaker>[FM])\d{3}")
UNLABELLED_TURN = re.compile(r"\w+_[FM]XX\d+")  # on the recording, but without a rating
RATER = re.compile(r"C-E\d+:\s*(.*?)\s*\(.*")  # an evaluator's categories of the turn above; C-F1 is the actor's own
CATEGORIES = {
    **{"Anger": "ang", "Disgust": "dis", "Excited": "exc", "Fear": "fea", "Frustration": "fru", "Happiness": "hap"},
    **{"Neutral": "neu", "Neutral state": "neu", "Other": "oth", "Sadness": "sad", "Surprise": "sur"},
}
TRANSCRIPT = re.compile(r"(Ses\w+)\s+\[[^\]]*\]:\s*(.*)")
# Both speakers share one 720x480 picture, half each; only rows 122-360 of 480 are not black.
TOP, BOTTOM = 0.2542, 0.75
GENDERS = {"F": "female", "M": "male"}


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section manifest.iemocap."""

    parts: list[Literal["impro", "script"]]  # improvised and scripted dialogues
    wearer_side: Literal["left", "right"]  # side of the speaker with the motion markers in the split picture

    def __post_init__(self) -> None:
        if not self.parts or len(set(self.parts)) != len(self.parts):
            raise ValueError(f"parts is {self.parts}; give [impro], [script] or [impro, script]")


def list_clips(root: Path, params: Params) -> tuple[list[Clip], list[Reject]]:
    """Every rated turn, including xxx (no agreement) and oth, which have valence and arousal too.

    The letter after the turn's last underscore is the speaker. The letter in `Ses01F_` is the wearer of the motion
    markers, for the turns of both speakers. A turn with its wav (or the avi of its dialogue) missing is kept with the
    other file.

    Returns:
        clips sorted by id; rejects: lines and files of another form, missing media, sounds without a rating.

    Raises:
        ValueError: root has no SessionN folder with ratings.
    """
    clips, rejects = [], []
    sessions = sorted(root.glob("Session[1-9]/dialog/EmoEvaluation"))
    if not sessions:
        raise ValueError(f"{root} holds no Session1/dialog/EmoEvaluation; name the folder that holds Session1")
    for ratings in sessions:
        listed, unused = _list_session(root, ratings.parents[1], params)
        clips += listed
        rejects += unused
    without_sound = [_wav(clip.id) for clip in clips if not clip.audio]
    without_picture = {clip.dialogue: _avi(clip.dialogue) for clip in clips if not clip.video}
    rejects += missing(without_sound, len(clips), "Session*/sentences/wav/*/*.wav", "picture only")
    dialogues = len({clip.dialogue for clip in clips})
    rejects += missing(list(without_picture.values()), dialogues, "Session*/dialog/avi/DivX/*.avi", "sound only")
    clips.sort(key=lambda clip: clip.id)
    return clips, sorted(rejects, key=lambda reject: (reject.path, reject.reason))


def _list_session(root: Path, session: Path, params: Params) -> tuple[list[Clip], list[Reject]]:
    clips, rejects, left_out = [], [], Counter()
    wavs = _files(root, session, "sentences/wav/*/*", ".wav")
    avis = _files(root, session, "dialog/avi/DivX/*", ".avi")
    for ratings in sorted(session.glob("dialog/EmoEvaluation/*.txt")):
        if ratings.name.startswith(".") or not ratings.is_file():
            continue
        place = ratings.relative_to(root).as_posix()
        dialogue = DIALOGUE.fullmatch(ratings.stem)
        if not dialogue or session.name != _session(ratings.stem):
            rejects.append(Reject(place, "name is not that of a dialogue of this session, such as Ses01F_impro01"))
            continue
        turns, unread = read_ratings(ratings, place)
        rejects += unread
        avi = avis.get(_avi(ratings.stem))
        texts = read_transcript(session / "dialog/transcriptions" / ratings.name)
        for index, turn in enumerate(turns):
            wav = wavs.pop(_wav(turn.id), None)
            if dialogue["part"] not in params.parts:
                left_out[dialogue["part"]] += 1
            elif wav or avi:
                clips.append(_clip(turn, index, texts.get(turn.id), wav, avi, params.wearer_side))
            else:
                rejects.append(Reject(_wav(turn.id), "missing, and the dialogue's avi too: the turn is lost", lost=1))
    rejects += [Reject(path, "no rated turn of this name in EmoEvaluation") for path in wavs.values()]
    for part, count in left_out.items():
        pattern = f"{session.name}/*_{part}*"
        rejects.append(Reject(pattern, f"{count} turns; manifest.iemocap.parts does not name {part}", group=True))
    return clips, rejects


def _files(root: Path, session: Path, pattern: str, suffix: str) -> dict[str, str]:
    """Files of a suffix in any case: path below root with the suffix in lower case -> path below root."""
    paths = sorted(path.relative_to(root) for path in session.glob(pattern) if path.suffix.lower() == suffix)
    return {path.with_suffix(suffix).as_posix(): path.as_posix() for path in paths if not path.name.startswith(".")}


@dataclass(frozen=True)
class Turn:
    """One consensus line of an EmoEvaluation file."""

    id: str
    start: float  # seconds within the dialogue
    end: float
    emotion: str
    valence: float
    arousal: float  # "activation" in the file
    dominance: float
    votes: Votes  # of the evaluators, by category; an evaluator may name several


def read_ratings(file: Path, place: str) -> tuple[list[Turn], list[Reject]]:
    """The consensus lines of an EmoEvaluation file in time order, each with the categories of single evaluators.

    The file lists the turns of one speaker, then those of the other. place: the file, for the rejects.
    """
    turns: dict[str, Turn] = {}
    rejects = []
    votes: dict[str, float] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.startswith("["):  # header, rater lines (C-E2:, A-E3:, C-F1: ...), blank lines
            if rater := RATER.fullmatch(line.strip()):
                for name in (part.strip() for part in rater[1].split(";")):
                    if name in CATEGORIES:
                        votes[CATEGORIES[name]] = votes.get(CATEGORIES[name], 0) + 1
            continue
        votes = {}
        match, here = TURN.fullmatch(line), f"{place}:{number}"
        if not match:
            rejects.append(Reject(here, f"not of the form [start - end] id emotion [V, A, D]: {line.strip()}", lost=1))
            continue
        start, end, turn_id, emotion, *vad = match.groups()
        utterance = UTTERANCE.fullmatch(turn_id)
        if UNLABELLED_TURN.fullmatch(turn_id):
            rejects.append(Reject(here, f"unlabelled turn: {turn_id}"))
        elif not utterance or utterance["dialogue"] != file.stem:
            rejects.append(Reject(here, f"not a turn of this dialogue: {turn_id}", lost=1))
        elif turn_id in turns:
            rejects.append(Reject(here, f"listed twice, the first line is used: {turn_id}"))
        elif float(end) <= float(start):
            rejects.append(Reject(here, f"ends before it starts: {turn_id}, {start}-{end} s", lost=1))
        elif not all(map(math.isfinite, map(float, (start, end, *vad)))):
            rejects.append(Reject(here, f"a number is too large: {turn_id}", lost=1))
        else:
            turns[turn_id] = Turn(turn_id, float(start), float(end), emotion, *map(float, vad), votes=votes)
    return sorted(turns.values(), key=lambda turn: (turn.start, turn.end, turn.id)), rejects


def read_transcript(file: Path) -> dict[str, str]:
    """Turn id -> its words; empty if there is no such file. Lines of another form are ignored."""
    lines = read_text(file).splitlines() if file.is_file() else []
    return {match[1]: " ".join(match[2].split()) for line in lines if (match := TRANSCRIPT.fullmatch(line.strip()))}


def _session(name: str) -> str:
    return f"Session{int(name[3:5])}"


def _avi(dialogue: str) -> str:
    return f"{_session(dialogue)}/dialog/avi/DivX/{dialogue}.avi"


def _wav(turn_id: str) -> str:
    return f"{_session(turn_id)}/sentences/wav/{turn_id.rpartition('_')[0]}/{turn_id}.wav"


def _clip(turn: Turn, index: int, text: str | None, wav: str | None, avi: str | None, wearer_side: str) -> Clip:
    dialogue, _, number = turn.id.rpartition("_")
    letter, wearer = number[0], dialogue[5]
    left = (letter == wearer) == (wearer_side == "left")
    return Clip(
        id=turn.id,
        speaker=f"{dialogue[:5]}{letter}",
        gender=GENDERS[letter],
        emotion=turn.emotion,
        audio=wav,
        video=avi,
        video_start=turn.start if avi else None,
        video_end=turn.end if avi else None,
        video_crop=((0.0, TOP, 0.5, BOTTOM) if left else (0.5, TOP, 1.0, BOTTOM)) if avi else None,
        valence=turn.valence,
        arousal=turn.arousal,
        dominance=turn.dominance,
        votes=turn.votes or None,
        dialogue=dialogue,
        turn=index,
        start=turn.start,
        end=turn.end,
        text=text or None,
        session=int(dialogue[3:5]),
    )


SESSIONS = {"1": 1819, "2": 1811, "3": 2136, "4": 2103, "5": 2170}
PARTS = {"script": 5255, "impro": 4784}
EMOTIONS = {
    **{"xxx": 2507, "fru": 1849, "neu": 1708, "ang": 1103, "sad": 1084, "exc": 1041},
    **{"hap": 595, "sur": 107, "fea": 40, "oth": 3, "dis": 2},
}


def whole(params: Params) -> Whole:
    """Counts of the full release; those by emotion and session exist only for all turns, scripted and improvised."""
    together = set(params.parts) == set(PARTS)
    groups = {"emotion": EMOTIONS, "session": SESSIONS} if together else {}
    return Whole(clips=sum(PARTS[part] for part in params.parts), groups=groups)


CORPUS = Corpus(
    params=Params,
    list_clips=list_clips,
    emotions=None,
    coarse={
        "neu": "neutral",
        "hap": "positive",
        "exc": "positive",
        "ang": "negative",
        "dis": "negative",
        "fea": "negative",
        "fru": "negative",
        "sad": "negative",
        "sur": "surprise",
    },
    unlabelled=frozenset({"xxx", "oth"}),
    scale=(1, 5),
    uniform=True,
    whole=whole,
)
