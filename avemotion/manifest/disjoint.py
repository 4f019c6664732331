"""Refusals where training would know a speaker that is tested: scores on known voices and faces mean nothing."""

from collections.abc import Iterable

from avemotion.formats.clips import ClipMedia
from avemotion.parsing.clip import Clip


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
    if corpus_names.get("emotion") != corpus_names.get("affect"):
        return
    if shared := sorted({clip.speaker for clip in clips["emotion"]} & {clip.speaker for clip in clips["affect"]}):
        raise ValueError(
            f"corpora.emotion and corpora.affect are both {corpus_names['affect']} and share speakers "
            f"{', '.join(shared[:4])} ({len(shared)} in all): pretraining would know the test speakers of the folds; "
            "set pretrain.per_fold: true (emotion models for each fold), or use two corpora, or two roots that hold "
            "different speakers of this one"
        )


def between_folds(clips: dict[str, list[Clip]], part_of: dict[str, dict[str, str]]) -> None:
    """Raises ValueError where the emotion models of a fold would know a speaker whom V/A tests in that fold.

    The emotion models of fold k are tested on fold k; in all other folds they train or validate.

    Args:
        clips: by role, of whatever corpora; names are compared as they are. part_of: role -> clip id -> fold.
    """
    folds = {role: set(parts.values()) for role, parts in part_of.items()}
    if lone := sorted(folds["emotion"] ^ folds["affect"]):
        raise ValueError(
            f"pretrain.per_fold: the folds of the roles differ ({', '.join(lone)} is in one alone), so some V/A fold "
            "would lack emotion models, or validate on speakers whom these train on; split both roles alike"
        )
    for fold in sorted(folds["affect"], key=int):
        tested = {clip.speaker for clip in clips["affect"] if part_of["affect"][clip.id] == fold}
        heard = {clip.speaker for clip in clips["emotion"] if part_of["emotion"][clip.id] != fold}
        if known := sorted(tested & heard):
            raise ValueError(
                f"pretrain.per_fold: V/A fold {fold} tests {', '.join(known[:4])} ({len(known)} in all), whom the "
                "emotion models of that fold train or validate on; put each speaker into the same fold in both roles"
            )


def recordings(media: dict[str, list[ClipMedia]], folds: dict[str, dict[str, str]] | None = None) -> None:
    """Raises ValueError when a file plays both roles: the same speakers under another name.

    Args:
        folds: role -> clip id -> fold, where pretraining is done per fold: a file may then play both in the same fold.
    """
    seen: dict[str, dict[str, str]] = {}  # file -> fold -> the emotion clip ("" = no folds)
    for clip in media.get("emotion", []):
        for file_hash in _hashes(clip):
            seen.setdefault(file_hash, {})[folds["emotion"][clip.id] if folds else ""] = clip.id
    for clip in media.get("affect", []):
        own = folds["affect"][clip.id] if folds else None
        for file_hash in _hashes(clip):
            for fold, other in seen.get(file_hash, {}).items():
                if folds is None:
                    raise ValueError(
                        f"corpora: {other} (emotion) and {clip.id} (affect) are the same recording, so pretraining "
                        "would know test speakers; name their speakers alike in both roles and set "
                        "pretrain.per_fold: true, or use two corpora"
                    )
                if fold != own:
                    raise ValueError(
                        f"corpora: {other} (emotion, fold {fold}) and {clip.id} (affect, fold {own}) are the same "
                        f"recording, so the emotion models of fold {own} would know what it tests; name the speakers "
                        "alike in both roles, keep all who share a recording in one fold (as one dialogue, with "
                        "manifest.affect.split: speakers), or use two corpora"
                    )


def _hashes(clip: ClipMedia) -> list[str]:
    return [file_hash for file_hash in (clip.audio_hash, clip.video_hash) if file_hash]
