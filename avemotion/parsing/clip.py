"""What every corpus parser speaks: clips found, files left out, and how the manifest uses a corpus."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COARSE = ("neutral", "positive", "negative", "surprise")  # manifest.emotion.classes: 4, in class-index order


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One recording or turn and its labels; None = the corpus does not say or the file is not there."""

    id: str  # unique in the corpus, usable as a file name
    speaker: str
    gender: str | None  # male, female
    emotion: str | None  # the corpus's own category
    audio: str | None = None  # POSIX path below the corpus root
    video: str | None = None
    video_start: float | None = None  # seconds within the video file; None = the whole file
    video_end: float | None = None
    video_crop: tuple[float, float, float, float] | None = None  # left, top, right, bottom of the picture, each 0-1
    intensity: str | None = None
    statement: str | None = None
    repetition: str | None = None
    valence: float | None = None  # V, A, D in the corpus's own units
    arousal: float | None = None
    dominance: float | None = None
    dialogue: str | None = None
    turn: int | None = None  # 0-based, in time order over all speakers of the dialogue
    start: float | None = None  # seconds within the dialogue
    end: float | None = None
    text: str | None = None
    session: int | None = None  # recording session; its speakers are in no other
    part: str | None = None  # the corpus's own partition: train, val, test, or the number of a fold


@dataclass(frozen=True)
class Reject:
    """A file or line that is not used, and why."""

    path: str  # POSIX, below the corpus root; a line as path:number, a group of files as a pattern
    reason: str  # "kind" or "kind: what differs from file to file"
    lost: int = 0  # clips that this costs beyond the listed ones; counts towards manifest.max_rejected


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a complete copy of a corpus holds, as published."""

    clips: int
    groups: Mapping[str, Mapping[str, int]]  # field of Clip, such as speaker -> value -> clips


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus as the manifest sees it: one with emotions may play `emotion`, one with V/A `affect`."""

    params: type | None  # dataclass of the section manifest.<corpus>; None = no options
    list_clips: Callable[[Path, Any], tuple[list[Clip], list[Reject]]]  # (root, params) -> both sorted
    emotions: tuple[str, ...] | None  # categories in class-index order; None = those that occur, sorted
    coarse: Mapping[str, str]  # category -> one of COARSE
    unlabelled: frozenset[str]  # categories that name no emotion, such as "no agreement"
    scale: tuple[float, float] | None  # lowest and highest answer for V, A and D; None = the corpus has none
    uniform: bool  # True: a clip without the sound or picture that others have is damaged
    whole: Callable[[Any], Whole] | None  # params -> what to expect; None = it differs from release to release

    def scale_of(self, params: Any) -> tuple[float, float] | None:
        """The scale; a table of the user's own states it in its params."""
        return tuple(params.scale) if getattr(params, "scale", None) else self.scale


def walk(root: Path) -> Iterator[str]:
    """POSIX paths of all files below root, shallow ones first, then by name; follows links to folders, once each.

    Names beginning with a dot are skipped: file managers and archives leave `._name` beside `name`.

    Raises:
        ValueError: a folder may not be listed: its clips would be missed in silence.
    """
    found, seen = [], set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_unlisted):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        here = Path(folder).relative_to(root)
        found.extend((here / name).as_posix() for name in files if not name.startswith("."))
    yield from sorted(found, key=lambda path: (path.count("/"), path))


def _unlisted(error: OSError) -> None:
    raise ValueError(f"{error.filename}: cannot be listed ({error.strerror}); make it readable or move it away")


def missing(paths: list[str], of: int, pattern: str, consequence: str) -> list[Reject]:
    """Reject records for expected files that are not there; one for all when none of the `of` expected ones is.

    A corpus wholly without pictures (or sound) is a release without them; one partly without is damaged.
    """
    if paths and len(paths) == of:
        return [Reject(pattern, f"none of {of} such files is there: {consequence}")]
    return [Reject(path, f"missing: {consequence}") for path in paths]
