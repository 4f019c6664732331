"""MSP-IMPROV: dyads improvise around target sentences, with ratings of every turn (Busso et al. 2017).

`Evaluation.txt` and `sessionN/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.{wav,avi}`: sentence with its intended emotion,
speaker (sex and session), recording (P natural, R read, S target improvised, T other improvised), turn.
"""

import re
from pathlib import Path, PurePosixPath

from avemotion.parsing.clip import Clip, Corpus, Reject, Whole, missing
from avemotion.parsing.files import find_media, in_order, number, read_text

LABELS = ("Evaluation.txt", "Evalution.txt")  # copies have either spelling
EMOTIONS = {"A": "angry", "S": "sad", "H": "happy", "N": "neutral", "O": "other", "X": "no agreement"}
NAME = re.compile(r"(?P<sentence>S[0-9]{2}[AHNS])-(?P<speaker>[FM]0[1-6])-[A-Z]-[A-Z]{2}[0-9]{2,3}")
VALUE = r"([-+.0-9a-zA-Z]*)"
# A (activation) comes before V; N is naturalness, after a blank and a semicolon.
TURN = re.compile(rf"UTD-IMPROV-(\S+)\.avi;\s*(\w);\s*A:{VALUE}\s*;\s*V:{VALUE}\s*;\s*D:{VALUE}\s*;\s*N:{VALUE}\s*;\s*")


def list_clips(root: Path, params: None) -> tuple[list[Clip], list[Reject]]:
    """Every rated turn with its sound, its picture, or both; NaN = no rating.

    The lines of single raters after the line of a turn are ignored.

    Returns:
        clips sorted by id (the name without MSP-IMPROV-); rejects: lines of another form, missing
        media, media without a rating.

    Raises:
        ValueError: root has no Evaluation.txt.
    """
    place = next((name for name in LABELS if (root / name).is_file()), None)
    if place is None:
        raise ValueError(f"{root} holds no Evaluation.txt; name the folder that holds it and session1")
    kinds = {".wav": "audio", ".avi": "video", ".mp4": "video"}
    files, rejects = find_media(root, kinds, _identify, "MSP-IMPROV-S01A-F01-P-FM01 or alike")
    clips, listed = [], set()
    for row, line in enumerate(read_text(root / place).splitlines(), 1):
        if not line.startswith("UTD-IMPROV"):
            continue
        match, here = TURN.fullmatch(line), f"{place}:{row}"
        name = match and NAME.fullmatch(match[1])
        try:
            ratings = [number(value) for value in match.group(3, 4, 5)] if match else []
        except ValueError:
            ratings = []
        if not (name and ratings and match[2] in EMOTIONS):
            rejects.append(Reject(here, f"not of the form UTD-IMPROV-id.avi; class; A: V: D: N: {line}"[:200], lost=1))
            continue
        media = {kind: files.pop((match[1], kind), None) for kind in ("audio", "video")}
        if match[1] in listed:
            rejects.append(Reject(here, f"listed twice, the first line is used: {match[1]}"))
        elif not any(media.values()):
            rejects.append(Reject(_wav(match[1]), "missing, and the avi too: the turn is lost", lost=1))
        else:
            clips.append(_clip(match[1], name["speaker"], name["sentence"], EMOTIONS[match[2]], ratings, media))
        listed.add(match[1])
    rejects += [Reject(path, f"no rated turn of this name in {place}") for path in files.values()]
    without_sound = [_wav(clip.id) for clip in clips if not clip.audio]
    without_picture = [_wav(clip.id).replace(".wav", ".avi") for clip in clips if not clip.video]
    rejects += missing(without_sound, len(clips), "session*/*/*/*.wav", "picture only")
    rejects += missing(without_picture, len(clips), "session*/*/*/*.avi", "sound only")
    return sorted(clips, key=lambda clip: clip.id), in_order(rejects)


def _identify(path: PurePosixPath) -> str | None:
    name = re.sub("^(MSP|UTD)-IMPROV-", "", path.stem)
    return name if name != path.stem and NAME.fullmatch(name) else None


def _wav(clip_id: str) -> str:
    sentence, speaker, recording, _ = clip_id.split("-")
    return f"session{int(speaker[1:])}/{sentence}/{recording}/MSP-IMPROV-{clip_id}.wav"


def _clip(clip_id: str, speaker: str, sentence: str, emotion: str, ratings: list, media: dict[str, str | None]) -> Clip:
    arousal, valence, dominance = ratings
    return Clip(
        id=clip_id,
        speaker=speaker,
        gender="female" if speaker[0] == "F" else "male",
        emotion=emotion,
        **media,
        statement=sentence,
        valence=valence,
        arousal=arousal,
        dominance=dominance,
        session=int(speaker[1:]),
    )


def whole(params: None) -> Whole:
    """8438 turns of six sessions."""
    emotions = {"angry": 792, "happy": 2644, "sad": 885, "neutral": 3477, "other": 85, "no agreement": 555}
    return Whole(clips=8438, groups={"emotion": emotions})


CORPUS = Corpus(
    params=None,
    list_clips=list_clips,
    emotions=None,
    coarse={"neutral": "neutral", "happy": "positive", "angry": "negative", "sad": "negative"},
    unlabelled=frozenset({"other", "no agreement"}),
    scale=(1, 5),
    uniform=True,
    whole=whole,
)
