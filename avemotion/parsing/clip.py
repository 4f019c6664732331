"""Records of the corpus parsers: clips, rejected files, and how the manifest uses a corpus."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avemotion.parsing.votes import Votes

COARSE = ("neutral", "positive", "negative", "surprise")  # manifest.emotion.labels: coarse4, in class-index order


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One recording or turn and its labels; None where the corpus has no value or the file is missing."""

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
    valence: float | None = None  # in the corpus's own units, as arousal and dominance
    arousal: float | None = None
    dominance: float | None = None
    dialogue: str | None = None
    turn: int | None = None  # 0-based, in time order over all speakers of the dialogue
    start: float | None = None  # seconds within the dialogue
    end: float | None = None
    text: str | None = None
    session: int | None = None  # recording session; its speakers occur in no other session
    votes: Votes | None = None  # of the raters, by the corpus's categories
    part: str | None = None  # the corpus's own partition: train, val, test, or the number of a fold


@dataclass(frozen=True)
class Reject:
    """A file or line that is not used, and the reason."""

    path: str  # POSIX, below the corpus root; a line as path:number, a group of files as a pattern
    reason: str  # "kind" or "kind: detail of this file"
    lost: int = 0  # clips lost in addition to the listed ones; they count towards manifest.max_rejected
    # True: one record for all files of the pattern, with their number in the reason
    group: bool = field(default=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Contents of a complete copy of a corpus, as published."""

    clips: int
    groups: Mapping[str, Mapping[str, int]]  # field of Clip, such as speaker -> value -> clips


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus. The role emotion needs categories of emotion, the role affect needs valence and arousal."""

    params: type | None  # dataclass of the section manifest.<corpus>; None = no options
    list_clips: Callable[[Path, Any], tuple[list[Clip], list[Reject]]]  # (root, params) -> sorted clips, sorted rejects
    emotions: tuple[str, ...] | None  # categories in class-index order; None = the categories of the clips, sorted
    coarse: Mapping[str, str]  # category -> one of COARSE
    unlabelled: frozenset[str]  # categories that name no emotion, such as "no agreement"
    scale: tuple[float, float] | None  # lowest and highest rating of valence, arousal, dominance; None = no ratings
    uniform: bool  # True: a clip is damaged if it lacks the sound or picture that other clips have
    whole: Callable[[Any], Whole] | None  # params -> contents of a complete copy; None = releases differ
    stills: bool = False  # pictures without sound, which the role affect cannot use

    @property
    def lacks_for_affect(self) -> str:
        """What the role affect needs and this corpus does not have."""
        return "sound" if self.stills else "valence and arousal"

    def scale_of(self, params: Any) -> tuple[float, float] | None:
        """The scale; for the corpus csv it is a param."""
        return tuple(params.scale) if getattr(params, "scale", None) else self.scale


def walk(root: Path) -> Iterator[str]:
    """POSIX paths of all files below root, shallow ones first, then by name. It follows each link to a folder once.

    Names with a leading dot are skipped: file managers and archives write `._name` beside `name`.

    Raises:
        ValueError: a folder cannot be listed, so its clips would be missing without notice.
    """
    paths, visited = [], set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_unlisted):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        here = Path(folder).relative_to(root)
        paths.extend((here / name).as_posix() for name in files if not name.startswith("."))
    yield from sorted(paths, key=lambda path: (path.count("/"), path))


def _unlisted(error: OSError) -> None:
    raise ValueError(f"{error.filename}: cannot be listed ({error.strerror}); make it readable or move it away")


def missing(paths: list[str], of: int, pattern: str, consequence: str) -> list[Reject]:
    """Rejects for the missing ones of `of` expected files: one for all of them if all are missing, else one for each.

    A corpus without any picture (or sound) is a release without them. A corpus with only some of them is damaged.
    """
    if paths and len(paths) == of:
        return [Reject(pattern, f"none of {of} expected files {pattern} exists: {consequence}", group=True)]
    return [Reject(path, f"missing: {consequence}") for path in paths]
