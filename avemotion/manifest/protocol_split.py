"""The split of a published protocol: folds of speakers, or lists of clips."""

import re
from collections.abc import Iterable, Mapping

from avemotion.parsing.clip import Clip
from avemotion.parsing.protocols import Protocol
from avemotion.system.seeds import seed_for

PARAM = "manifest.emotion.protocol"
VALIDATION_SHARE = 0.1  # of each emotion's training clips, where a protocol lists no validation clips


def assign(clips: list[Clip], protocol: Protocol) -> dict[str, str]:
    """Clip id -> the fold as text, or train, val or test.

    Raises:
        ValueError: the clips lack a speaker (or a test clip) of the protocol, or have a speaker of no fold.
    """
    return _by_speaker(clips, protocol) if protocol.folds else _by_clip(clips, protocol)


def speakers_by_entry(clips: Iterable[Clip]) -> dict[int | str, list[str]]:
    """Possible entry of a list of speakers -> its speakers. Entries are full names and the numbers at the end."""
    known: dict[int | str, list[str]] = {}
    for speaker in sorted({clip.speaker for clip in clips}):
        known.setdefault(speaker, []).append(speaker)
        if number := re.search(r"\d+$", speaker):
            known.setdefault(int(number[0]), []).append(speaker)
    return known


def _by_speaker(clips: list[Clip], protocol: Protocol) -> dict[str, str]:
    known, fold_of = speakers_by_entry(clips), {}
    absent = [str(entry) for listed in protocol.folds.values() for entry in listed if len(known.get(entry, [])) != 1]
    if absent:
        raise ValueError(
            f"{PARAM} is {protocol.name}, but the corpus here has no clip of its speakers {_few(absent)} "
            f"({len(absent)} of {sum(map(len, protocol.folds.values()))}): {_remedy(protocol)}"
        )
    for fold, listed in protocol.folds.items():
        fold_of |= {known[entry][0]: str(fold) for entry in listed}
    if strangers := sorted({clip.speaker for clip in clips} - set(fold_of)):
        raise ValueError(
            f"{PARAM} is {protocol.name}, which has no fold for the speakers {_few(strangers)} ({len(strangers)}): "
            f"{_remedy(protocol)}"
        )
    return {clip.id: fold_of[clip.speaker] for clip in clips}


def _by_clip(clips: list[Clip], protocol: Protocol) -> dict[str, str]:
    ids = {clip.id for clip in clips}
    if absent := sorted((protocol.test | protocol.validation) - ids):
        raise ValueError(
            f"{PARAM} is {protocol.name}, but {len(absent)} of its {len(protocol.test | protocol.validation)} test "
            f"and validation clips are not here ({_few(absent)}): {_remedy(protocol)}"
        )
    validation = protocol.validation or _drawn([clip for clip in clips if clip.id not in protocol.test])
    return {
        clip.id: "test" if clip.id in protocol.test else "val" if clip.id in validation else "train" for clip in clips
    }


def _drawn(clips: list[Clip]) -> set[str]:
    """A tenth of each emotion's clips, by a hash of their ids: the same on every machine, whatever the seeds."""
    groups: dict[str, list[str]] = {}
    for clip in clips:
        groups.setdefault(str(clip.emotion), []).append(clip.id)
    drawn: set[str] = set()
    for ids in groups.values():
        ids.sort(key=lambda clip_id: seed_for(0, "protocol validation", clip_id))
        drawn |= set(ids[: round(len(ids) * VALIDATION_SHARE)])
    return drawn


def validates(protocol: Protocol, folds: Iterable[int]) -> Mapping[str, int]:
    """Test fold as text, as JSON has it -> its validation fold; empty where the next one validates."""
    return {str(fold): protocol.validates[fold] for fold in folds} if protocol.validates else {}


def _remedy(protocol: Protocol) -> str:
    return f"complete the corpus ({protocol.source}), or choose another manifest.emotion.split"


def _few(names: list[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
