"""CREMA-D: acted sentences, 91 actors, 6 emotions, all labels in the file name (Cao et al. 2014).

Names are actor_sentence_emotion_level, as in 1001_IEO_ANG_HI. The sound is in `AudioWAV/*.wav`, the picture in
`VideoFlash/*.flv`. A zip from GitHub has git-lfs pointers instead of these files.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole, missing
from avemotion.parsing.files import find_media, in_order, read_rows, read_text
from avemotion.parsing.votes import Votes, majority

EMOTIONS = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "ANG": "angry", "FEA": "fearful", "DIS": "disgust"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": None}
SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
NAME = re.compile(r"(1[0-9]{3})_([A-Z]{3})_([A-Z]{3})_([A-Z]{2})")
OVERLONG = {"1064_IEO_DIS_MD"}  # its published recording runs for 61 s; those of all other clips for 1 to 5 s
DEMOGRAPHICS = "VideoDemographics.csv"  # ActorID, Age, Sex ...
VOTES = "processedResults/tabulatedVotes.csv"
LETTERS = {"A": "angry", "D": "disgust", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad"}  # its columns
ROWS = {"voice": "1", "face": "2", "both": "3"}  # modality of the raters -> first digit of the numbers of its rows


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section manifest.cremad."""

    labels: Literal["acted", "perceived"]  # the emotion of the file name, or the most frequent one among the raters
    raters: Literal["voice", "face", "both"]  # those who heard, saw, or heard and saw the clip


def list_clips(root: Path, params: Params) -> tuple[list[Clip], list[Reject]]:
    """Pair *.wav with *.flv (or a converted *.mp4) of the same name, in any folder below root.

    Gender comes from VideoDemographics.csv if that file exists, votes from processedResults/tabulatedVotes.csv. A clip
    with one of its two files missing is kept with the other one. A perceived clip without a majority has no emotion.

    Returns:
        clips sorted by id; rejects: duplicate names, names outside the scheme, missing and overlong files.

    Raises:
        ValueError: VideoDemographics.csv or tabulatedVotes.csv is damaged, or there are no votes for perceived labels.
    """
    kinds = {".wav": "audio", ".flv": "video", ".mp4": "video"}
    files, rejects = find_media(root, kinds, _identify, "actor_sentence_emotion_level, such as 1001_IEO_ANG_HI")
    genders = _genders(root / DEMOGRAPHICS)
    votes = _votes(root / VOTES, params)
    overlong = sorted({clip_id for clip_id, _ in files} & OVERLONG)
    clips = [
        _clip(clip_id, files.get((clip_id, "audio")), files.get((clip_id, "video")), genders)
        for clip_id in sorted({clip_id for clip_id, _ in files} - OVERLONG)
    ]
    clips = [_rated(clip, votes.get(clip.id), params) for clip in clips]
    without_sound = [f"AudioWAV/{clip.id}.wav" for clip in clips if not clip.audio]
    without_picture = [f"VideoFlash/{clip.id}.flv" for clip in clips if not clip.video]
    rejects += missing(without_sound, len(clips), "AudioWAV/*.wav", "picture only")
    rejects += missing(without_picture, len(clips), "VideoFlash/*.flv", "sound only")
    for clip_id in overlong:
        path = files.get((clip_id, "audio")) or files[clip_id, "video"]
        rejects.append(Reject(path, "runs for a minute after the sentence, as published", lost=1))
    return clips, in_order(rejects)


def _identify(path: PurePosixPath) -> str | None:
    match = NAME.fullmatch(path.stem)
    known = match and match[2] in SENTENCES and match[3] in EMOTIONS and match[4] in LEVELS
    return path.stem if known else None


def _genders(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    rows, _ = read_rows(read_text(file), file, ("ActorID", "Sex"))
    return {row["ActorID"]: row["Sex"].lower() for _, row in rows if row["Sex"].lower() in ("male", "female")}


def _votes(file: Path, params: Params) -> dict[str, Votes]:
    """Clip id -> votes of the raters of one modality, who are told apart by the first digit of a row's number."""
    if not file.is_file():
        if params.labels == "acted":
            return {}
        raise ValueError(f"{file}: no such file, but manifest.cremad.labels is perceived; fetch it, or set acted")
    rows, _ = read_rows(read_text(file), file, ("", *LETTERS, "fileName", "numResponses"))
    votes = {}
    for number, row in rows:
        if not row[""].startswith(ROWS[params.raters]):
            continue
        try:
            counts = {name: int(row[letter]) for letter, name in LETTERS.items()}
            expected = int(row["numResponses"])
        except ValueError as error:
            raise ValueError(f"{file} row {number}: {error}; fetch the file again") from error
        if sum(counts.values()) != expected or min(counts.values()) < 0 or not 0 < expected < 1000:
            raise ValueError(
                f"{file} row {number}: {row['fileName']} has {sum(counts.values())} votes, but numResponses is "
                f"{expected}; fetch the file again"
            )
        votes[row["fileName"]] = {name: float(count) for name, count in counts.items() if count}
    return votes


def _rated(clip: Clip, votes: Votes | None, params: Params) -> Clip:
    """The clip with its votes and, where labels is perceived, the emotion that most raters name."""
    if params.labels == "acted":
        return replace(clip, votes=votes)
    return replace(clip, votes=votes, emotion=None if votes is None else majority(votes))


def _clip(clip_id: str, audio: str | None, video: str | None, genders: dict[str, str]) -> Clip:
    actor, sentence, emotion, level = clip_id.split("_")
    return Clip(
        id=clip_id,
        speaker=actor,
        gender=genders.get(actor),
        emotion=EMOTIONS[emotion],
        audio=audio,
        video=video,
        intensity=LEVELS[level],
        statement=sentence,
        text=SENTENCES[sentence],
    )


def whole(params: Params) -> Whole:
    """7442 clips of 91 actors: 82 of most actors, fewer of some; the emotions are the acted ones."""
    if params.labels == "perceived":
        return Whole(clips=7442, groups={})
    emotions = dict.fromkeys(EMOTIONS.values(), 1271) | {"neutral": 1087}
    return Whole(clips=7442, groups={"emotion": emotions})


CORPUS = Corpus(
    params=Params,
    list_clips=list_clips,
    emotions=tuple(EMOTIONS.values()),
    coarse={
        "neutral": "neutral",
        "happy": "positive",
        "sad": "negative",
        "angry": "negative",
        "fearful": "negative",
        "disgust": "negative",
    },
    unlabelled=frozenset(),
    scale=None,
    uniform=True,
    whole=whole,
)
