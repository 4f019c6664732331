"""Checks that no speaker is both trained on and tested: scores on trained voices and faces mean nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from avemotion.formats.clips import ClipMedia
from avemotion.parsing.clip import Clip


@dataclass(frozen=True, kw_only=True)
class OfRun:
    """The speakers and files that a run has in its roles."""

    speakers: Mapping[str, tuple[str, set[str]]]  # role -> name of the corpus, speakers
    files: Mapping[str, tuple[str, str]]  # hash of a file -> role, clip


def within(clips: Iterable[Clip], part_of: dict[str, str], place: str) -> None:
    """Raises ValueError if a speaker is in two splits or folds; part_of: clip id -> split."""
    home: dict[str, str] = {}
    for clip in clips:
        first = home.setdefault(clip.speaker, part_of[clip.id])
        if first != part_of[clip.id]:
            raise ValueError(
                f"{place} puts speaker {clip.speaker} into {first} and {part_of[clip.id]}; choose a split by speaker"
            )


def overlap(clips: Iterable[Clip], part_of: dict[str, str]) -> bool:
    """Whether a speaker is in two splits."""
    home: dict[str, str] = {}
    return any(home.setdefault(clip.speaker, part_of[clip.id]) != part_of[clip.id] for clip in clips)


def between_roles(corpus_names: dict[str, str], clips: dict[str, list[Clip]]) -> None:
    """Raises ValueError if a speaker is in both roles.

    Each speaker of the affect role is tested in one fold, so the emotion models must not train on any of them.
    Names are compared within one corpus only: two corpora may have different speakers of the same name.
    """
    if corpus_names.get("emotion") != corpus_names.get("affect"):
        return
    if shared := sorted({clip.speaker for clip in clips["emotion"]} & {clip.speaker for clip in clips["affect"]}):
        raise ValueError(
            f"corpora.emotion and corpora.affect are both {corpus_names['affect']} and share speakers "
            f"{', '.join(shared[:4])} ({len(shared)} in all): pretraining would use the test speakers of the folds; "
            "set pretrain.per_fold: true (emotion models for each fold), or use two corpora, or two roots that hold "
            "different speakers of this one"
        )


def stills(corpus_names: dict[str, str], clips: dict[str, list[Clip]]) -> None:
    """Raises ValueError if pretrain_face would train on speakers of another role, who are tested there."""
    for role in ("emotion", "affect"):
        if role not in clips or corpus_names.get("faces") != corpus_names[role]:
            continue
        if shared := sorted({clip.speaker for clip in clips[role]} & {clip.speaker for clip in clips["faces"]}):
            raise ValueError(
                f"corpora.faces and corpora.{role} are both {corpus_names[role]} and share speakers "
                f"{', '.join(shared[:4])} ({len(shared)} in all): pretrain_face would train on faces that are tested; "
                "use stills of other people"
            )


def between_folds(clips: dict[str, list[Clip]], part_of: dict[str, dict[str, str]]) -> None:
    """Raises ValueError if the emotion models of a fold use a speaker whom the VA model of that fold is tested on.

    The emotion models of fold k are tested on fold k; in all other folds they train or validate.

    Args:
        clips: by role; names of speakers are compared across corpora. part_of: role -> clip id -> fold.
    """
    folds = {role: set(parts.values()) for role, parts in part_of.items()}
    if lone := sorted(folds["emotion"] ^ folds["affect"]):
        raise ValueError(
            f"pretrain.per_fold: the folds of the roles differ ({', '.join(lone)} is in one role only), so "
            "some VA fold would have no emotion models, or would validate on speakers whom these train on; use "
            "the same folds in both roles"
        )
    for fold in sorted(folds["affect"], key=int):
        tested = {clip.speaker for clip in clips["affect"] if part_of["affect"][clip.id] == fold}
        trained = {clip.speaker for clip in clips["emotion"] if part_of["emotion"][clip.id] != fold}
        if known := sorted(tested & trained):
            raise ValueError(
                f"pretrain.per_fold: VA fold {fold} tests {', '.join(known[:4])} ({len(known)} in all), whom the "
                "emotion models of that fold train or validate on; put each speaker into the same fold in both roles"
            )


def recordings(media: dict[str, list[ClipMedia]], folds: dict[str, dict[str, str]] | None = None) -> None:
    """Raises ValueError if a file is in both roles: its speakers then have two names.

    Args:
        folds: role -> clip id -> fold, for pretraining per fold: a file may then be in both roles within one fold.
    """
    _refuse_known_faces(media)
    emotion_clips: dict[str, dict[str, str]] = {}  # file hash -> fold ("" = no folds) -> clip of the emotion role
    for clip in media.get("emotion", []):
        for file_hash in _hashes(clip):
            emotion_clips.setdefault(file_hash, {})[folds["emotion"][clip.id] if folds else ""] = clip.id
    for clip in media.get("affect", []):
        own = folds["affect"][clip.id] if folds else None
        for file_hash in _hashes(clip):
            for fold, other in emotion_clips.get(file_hash, {}).items():
                if folds is None:
                    raise ValueError(
                        f"corpora: {other} (emotion) and {clip.id} (affect) are the same recording, so pretraining "
                        "would use test speakers; give their speakers the same names in both roles and set "
                        "pretrain.per_fold: true, or use two corpora"
                    )
                if fold != own:
                    raise ValueError(
                        f"corpora: {other} (emotion, fold {fold}) and {clip.id} (affect, fold {own}) are the same "
                        f"recording, so the emotion models of fold {own} would use its test data; give the speakers "
                        "the same names in both roles, keep all who share a recording in one fold (as one dialogue, "
                        "with manifest.affect.split: speakers), or use two corpora"
                    )


def _refuse_known_faces(media: dict[str, list[ClipMedia]]) -> None:
    stills = {file_hash: clip.id for clip in media.get("faces", []) for file_hash in _hashes(clip)}
    for role in ("emotion", "affect"):
        for clip in media.get(role, []):
            if same := [stills[file_hash] for file_hash in _hashes(clip) if file_hash in stills]:
                raise ValueError(
                    f"corpora: {same[0]} (faces) and {clip.id} ({role}) are the same recording, so pretrain_face "
                    "would train on faces that are tested; use stills of other people"
                )


def _hashes(clip: ClipMedia) -> list[str]:
    return [file_hash for file_hash in (clip.audio_hash, clip.video_hash) if file_hash]


def from_run(key: str, corpus: str, clips: Iterable[Clip], media: Iterable[ClipMedia], run: OfRun) -> None:
    """Check that a corpus on which the models of a run are scored has none of the speakers and files of the run's own.

    Names of speakers are compared within one corpus only, as in between_roles.

    Args:
        key: of the corpus in the params. corpus: its name.

    Raises:
        ValueError: a speaker or a file is in both.
    """
    speakers = {clip.speaker for clip in clips}
    for role, (name, known) in run.speakers.items():
        if name == corpus and (shared := sorted(speakers & known)):
            raise ValueError(
                f"{key} and corpora.{role} are both {corpus} and share speakers {', '.join(shared[:4])} "
                f"({len(shared)} in all), so the models may have been trained on them; use another corpus, or a root "
                "that holds other speakers (if they are other people, give them other names)"
            )
    for clip in media:
        for file_hash in _hashes(clip):
            if file_hash in run.files:
                role, other = run.files[file_hash]
                raise ValueError(
                    f"{key}: {clip.id} is the same recording as {other} of corpora.{role}, so the models may have been "
                    "trained on it; take it out, or use another corpus"
                )
