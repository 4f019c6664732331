"""SAVEE: acted sentences of four men, 7 emotions, all labels in path and name (Haq & Jackson 2010).

`DC/a01.wav`: speaker, and emotion with the number of the sentence. The folders of all speakers have the same names.
"""

import re
from pathlib import Path, PurePosixPath

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole, missing
from avemotion.parsing.files import find_media, in_order

SPEAKERS = ("DC", "JE", "JK", "KL")
EMOTIONS = {
    "n": "neutral",
    "h": "happy",
    "sa": "sad",
    "a": "angry",
    "f": "fearful",
    "d": "disgust",
    "su": "surprised",
}
NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?((?:sa|su|[adfhn])\d\d)")


def list_clips(root: Path, params: None) -> tuple[list[Clip], list[Reject]]:
    """Pair *.wav with *.avi (or *.mp4) of the same speaker and name, in any folder below root.

    The speaker is the folder (DC/a01.wav) or the beginning of the name (DC_a01.wav); ids are DC_a01.

    Returns:
        clips sorted by id; rejects: duplicate names, names outside the scheme, missing files.
    """
    kinds = {".wav": "audio", ".avi": "video", ".mp4": "video"}
    files, rejects = find_media(root, kinds, _identify, "that of a speaker's clip, such as DC/a01 or DC_a01")
    clips = [
        _clip(clip_id, files.get((clip_id, "audio")), files.get((clip_id, "video")))
        for clip_id in sorted({clip_id for clip_id, _ in files})
    ]
    without_sound = [clip.id.replace("_", "/") + ".wav" for clip in clips if not clip.audio]
    without_picture = [clip.id.replace("_", "/") + ".avi" for clip in clips if not clip.video]
    rejects += missing(without_sound, len(clips), "*/*.wav", "picture only")
    rejects += missing(without_picture, len(clips), "*/*.avi", "sound only")
    return clips, in_order(rejects)


def _identify(path: PurePosixPath) -> str | None:
    match = NAME.fullmatch(path.stem)
    speaker = match and (match[1] or path.parent.name)
    return f"{speaker}_{match[2]}" if match and speaker in SPEAKERS else None


def _clip(clip_id: str, audio: str | None, video: str | None) -> Clip:
    speaker, name = clip_id.split("_")
    return Clip(
        id=clip_id,
        speaker=speaker,
        gender="male",
        emotion=EMOTIONS[name.rstrip("0123456789")],
        audio=audio,
        video=video,
        statement=name,
    )


def whole(params: None) -> Whole:
    """120 clips per speaker: 15 of each emotion, 30 neutral ones."""
    emotions = dict.fromkeys(EMOTIONS.values(), 60) | {"neutral": 120}
    return Whole(clips=480, groups={"emotion": emotions, "speaker": dict.fromkeys(SPEAKERS, 120)})


CORPUS = Corpus(
    params=None,
    list_clips=list_clips,
    emotions=tuple(EMOTIONS.values()),
    coarse={
        "neutral": "neutral",
        "happy": "positive",
        "sad": "negative",
        "angry": "negative",
        "fearful": "negative",
        "disgust": "negative",
        "surprised": "surprise",
    },
    unlabelled=frozenset(),
    scale=None,
    uniform=True,
    whole=whole,
)
