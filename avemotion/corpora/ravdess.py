"""RAVDESS: acted speech and song, 24 actors, 8 emotions, all labels in the file name.

Names are MM-CC-EE-II-SS-RR-AA: modality, vocal channel, emotion, intensity, statement, repetition, actor
(Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391).
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole, missing, walk

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")  # ids 01-08
CHANNELS = {"01": "speech", "02": "song"}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": ("kids", "Kids are talking by the door"), "02": ("dogs", "Dogs are sitting by the door")}
MEDIA = {("01", ".mp4"): "film", ("02", ".mp4"): "video", ("03", ".wav"): "audio"}
NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section manifest.ravdess."""

    channels: list[Literal["speech", "song"]]

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channels is {self.channels}; give [speech], [song] or [speech, song]")


def list_clips(root: Path, params: Params) -> tuple[list[Clip], list[Reject]]:
    """Pair the picture of 02-*.mp4 with the sound of 03-*.wav, in any folder below root.

    A clip's id is the name without the modality. A clip with one of its two files missing is kept with the other one.
    01-*.mp4 has the picture of 02-*.mp4 and the sound of 03-*.wav. It replaces them if a copy has no 02-*.mp4 (or no
    03-*.wav) at all, and is never a separate clip.

    Returns:
        clips sorted by id; rejects: duplicate names (some copies have every file twice; the least nested one is used),
        names outside the scheme, missing files, and one record for each group of files left out on purpose.
    """
    files, films, rejects, left_out = {}, {}, [], Counter()
    for path in walk(root):
        stem, suffix = PurePosixPath(path).stem, PurePosixPath(path).suffix.lower()
        if suffix not in (".wav", ".mp4"):
            continue
        match = NAME.fullmatch(stem)
        if not match:
            rejects.append(Reject(path, "name is not MM-CC-EE-II-SS-RR-AA with ids of RAVDESS"))
        elif (kind := MEDIA.get((match[1], suffix))) is None:
            rejects.append(Reject(path, "01-* and 02-* should be .mp4 and 03-* .wav"))
        elif CHANNELS[match[2]] not in params.channels:
            channel = CHANNELS[match[2]]
            left_out[f"0?-{match[2]}-*", f"{channel} files; manifest.ravdess.channels does not name {channel}"] += 1
        elif kind == "film":
            films.setdefault(stem[3:], []).append(path)
        elif (stem[3:], kind) in files:
            rejects.append(Reject(path, f"double: the name is used by {files[stem[3:], kind]}"))
        else:
            files[stem[3:], kind] = path
    absent = [kind for kind in ("audio", "video") if not any(has == kind for _, has in files)]
    files |= {(clip_id, kind): paths[0] for clip_id, paths in films.items() for kind in absent}
    if films and not absent:
        left_out["01-*", "audio-video files; their sound is that of the 03-* files"] = sum(map(len, films.values()))
    else:
        duplicates = [(path, paths[0]) for paths in films.values() for path in paths[1:]]
        rejects += [Reject(path, f"double: the name is used by {first}") for path, first in duplicates]
    rejects += [Reject(pattern, f"{count} {reason}", group=True) for (pattern, reason), count in left_out.items()]

    ids = sorted({clip_id for clip_id, _ in files})
    clips = [_clip(clip_id, files.get((clip_id, "audio")), files.get((clip_id, "video"))) for clip_id in ids]
    without_sound = [_beside(clip.video, f"03-{clip.id}.wav") for clip in clips if not clip.audio]
    without_picture = [_beside(clip.audio, f"02-{clip.id}.mp4") for clip in clips if not clip.video]
    rejects += missing(without_sound, len(clips), "03-*.wav", "picture only")
    rejects += missing(without_picture, len(clips), "02-*.mp4", "sound only")
    return clips, sorted(rejects, key=lambda reject: (reject.path, reject.reason))


def _clip(clip_id: str, audio: str | None, video: str | None) -> Clip:
    _, emotion, intensity, statement, repetition, actor = clip_id.split("-")
    return Clip(
        id=clip_id,
        speaker=f"Actor_{actor}",
        gender="male" if int(actor) % 2 else "female",
        emotion=EMOTIONS[int(emotion) - 1],
        audio=audio,
        video=video,
        intensity=INTENSITIES[intensity],
        statement=STATEMENTS[statement][0],
        repetition=str(int(repetition)),
        text=STATEMENTS[statement][1],
    )


def _beside(path: str | None, name: str) -> str:
    assert path, "a clip has at least one file"
    return PurePosixPath(path).with_name(name).as_posix()


def whole(params: Params) -> Whole:
    """All 24 actors: 60 clips per actor in speech, 44 in song, which has no actor 18, no disgust and no surprise."""
    actors = [f"Actor_{actor:02}" for actor in range(1, 25)]
    emotions, speakers = Counter(), Counter()
    for channel in params.channels:
        singing = channel == "song"
        present = [actor for actor in actors if not (singing and actor == "Actor_18")]
        acted = EMOTIONS[: 6 if singing else 8]
        emotions.update({emotion: len(present) * (4 if emotion == "neutral" else 8) for emotion in acted})
        speakers.update(dict.fromkeys(present, 44 if singing else 60))
    return Whole(clips=speakers.total(), groups={"emotion": emotions, "speaker": speakers})


CORPUS = Corpus(
    params=Params,
    list_clips=list_clips,
    emotions=EMOTIONS,
    coarse={
        "neutral": "neutral",
        "calm": "neutral",
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
