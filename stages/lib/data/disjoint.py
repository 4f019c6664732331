"""Refusals where training would know a speaker that is tested: scores on known voices and faces mean nothing."""

from collections.abc import Iterable

from stages.lib.corpora.clip import Clip
from stages.lib.data.clips import ClipMedia


def within(clips: Iterable[Clip], part_of: dict[str, str], place: str) -> None:
    """Raises ValueError when a speaker is in two splits or folds; part_of: clip id -> split."""
    home: dict[str, str] = {}
    for clip in clips:
        first = home.setdefault(clip.speaker, part_of[clip.id])
        if first != part_of[clip.id]:
            raise ValueError(
                f"{place} puts speaker {clip.speaker} into {first} and {part_of[clip.id]}; choose a split by speaker"
            )


def overlap(clips: Iterable[Clip], part_of: dict[str, str]) -> bool:
    """Is some speaker in two splits?"""
    home: dict[str, str] = {}
    return any(home.setdefault(clip.speaker, part_of[clip.id]) != part_of[clip.id] for clip in clips)


def between_roles(corpus_names: dict[str, str], clips: dict[str, list[Clip]]) -> None:
    """Raises ValueError when a speaker plays both roles.

    Each affect speaker is tested in some fold, so pretraining on the emotion role may know none of them.
    Names are compared within a corpus only: speaker 01 of one is not speaker 01 of another.
    """
    if corpus_names["emotion"] != corpus_names["affect"]:
        return
    if shared := sorted({clip.speaker for clip in clips["emotion"]} & {clip.speaker for clip in clips["affect"]}):
        raise ValueError(
            f"corpora.emotion and corpora.affect are both {corpus_names['affect']} and share speakers "
            f"{', '.join(shared[:4])} ({len(shared)} in all): pretraining would know the test speakers of the folds; "
            "use two corpora, or two roots that hold different speakers of this one"
        )


def recordings(media: dict[str, list[ClipMedia]]) -> None:
    """Raises ValueError when a file plays both roles: the same speakers under another corpus's name."""
    seen = {file_hash: clip.id for clip in media["emotion"] for file_hash in _hashes(clip)}
    for clip in media["affect"]:
        for file_hash in _hashes(clip):
            if file_hash in seen:
                raise ValueError(
                    f"corpora: {seen[file_hash]} (emotion) and {clip.id} (affect) are the same recording, so "
                    "pretraining would know test speakers; use two corpora"
                )


def _hashes(clip: ClipMedia) -> list[str]:
    return [file_hash for file_hash in (clip.audio_hash, clip.video_hash) if file_hash]
