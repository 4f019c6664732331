"""Reads pictures from video files, chosen by their time on the file's clock (container.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from avemotion.media import container as containers
from avemotion.media.film.film import Film, NoPictureError
from avemotion.media.film.showing import Frame, Shown, length, middles, shown
from avemotion.system.media_error import MediaError, error_text

Crop = tuple[float, float, float, float]  # left, top, right, bottom as fractions of width and height

REMEDY = "repair or remove the file"
LOOKS = 5  # frames of a track that decide whether it is black, where a file has several tracks
DARK = 24.0  # of 255; a frame with this mean brightness or less, and no contrast, is black
CONTRAST = 8.0  # standard deviation of the brightness of a frame without content
DELAY = 0.25  # seconds; a picture that starts later gets a note


@dataclass(frozen=True, kw_only=True)
class FilmFrames:
    """Frames [N, H, W, 3] uint8 RGB of an interval, and times [N] float32 in seconds after its start."""

    frames: np.ndarray
    times: np.ndarray
    lost: float  # seconds of the interval whose pictures do not decode, as far as they were tried


@dataclass(frozen=True, kw_only=True)
class PictureSpan:
    """Start and end of the picture of a file in seconds on its clock."""

    start: float
    end: float
    notes: list[str]  # what differs from a file with one track that starts with the clock


def read_frames(
    path: Path, count: int, start: float | None = None, end: float | None = None, crop: Crop | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Uniformly spaced frames: those on screen at the middles of `count` equal parts of [start, end).

    A part of [start, end) without picture is left out before it is divided: where the stream has not started or has
    ended, where frames do not decode, and where a frame is older than showing.HOLD.

    Args:
        start, end: seconds on the file's clock; None = from its beginning, to its end.
        crop: the part of the picture to keep; None = all of it.

    Returns:
        frames [count, H, W, 3] uint8 RGB (a short clip repeats some of them), times [count] float32 in seconds after
        start at which they appear.

    Raises:
        MediaError: the file does not decode or has no frame in [start, end).
    """
    read = read_film(path, count, start, end, crop)
    return read.frames, read.times


def read_film(
    path: Path, count: int, start: float | None = None, end: float | None = None, crop: Crop | None = None
) -> FilmFrames:
    """`read_frames`, with the time that does not decode."""
    try:
        film, _ = _open(path)
        with film:
            unit = film.unit
            bounds = [None if time is None else time / float(unit) for time in (start, end)]
            frames = film.frames(*bounds)
            planned = shown(frames, *bounds, unit)
            parts, pictures = _decode(film, planned, frames, count)
    except (OSError, RuntimeError) as error:
        raise MediaError(path, f"{_fault(error)}; {REMEDY}") from error
    if not parts:
        last = frames[-1].until * float(unit) if frames else 0.0
        where = "the file" if start is None and end is None else f"{start or 0:g} to {last if end is None else end:g} s"
        raise MediaError(path, f"no frame in {where} (it has {last:.2f} s); correct the times or the file")
    read, expected = float(length(parts) * unit), float(length(planned) * unit)
    if 2 * read < expected:  # a few missing frames are usual; if most are missing, the file is damaged
        raise MediaError(path, f"pictures decode for {read:.2f} s of {expected:.2f} s only; {REMEDY}")
    chosen = middles(parts, count)
    times = np.array([float(part.begin * unit) - (start or 0.0) for part in chosen], np.float32)
    stacked = np.stack([_cropped(pictures[part.tick], crop) for part in chosen])
    return FilmFrames(frames=stacked, times=times, lost=expected - read)


def look(path: Path) -> PictureSpan:
    """Start and end of a film, by the timestamps of all its packets; one frame is decoded.

    Raises:
        ValueError: there is no picture, the first one does not decode, or the file cannot be read; without the path.
    """
    try:
        film, notes = _open(path)
        with film:
            frames = film.frames(None, None)
            if not frames:
                raise NoPictureError("no picture in it")
            if not film.first_decodes():
                raise NoPictureError("cannot be read as video: its first picture does not decode")
            parts = shown(frames, None, None, film.unit)
            there = float((frames[-1].until - frames[0].tick) * film.unit)
            notes = [*notes, *containers.short_note("picture", there, film.stated_seconds)]
            start, end = float(parts[0].begin * film.unit), float(parts[-1].end * film.unit)
    except (OSError, RuntimeError, UnicodeError) as error:
        raise ValueError(_fault(error)) from error
    if film.parts > 1:
        notes = [*notes, f"picture: timestamps start anew {film.parts - 1} times; the parts are joined"]
    if start > DELAY:
        notes = [*notes, f"picture: starts at {start:.2f} s"]
    return PictureSpan(start=start, end=end, notes=notes)


def blank(picture: np.ndarray) -> bool:
    """Whether a picture [H, W, 3] is black or nearly so, as in a fade or before the first picture."""
    brightness = picture.mean(-1, dtype=np.float32)
    return bool(brightness.mean() <= DARK and brightness.std() <= CONTRAST)


def _decode(
    film: Film, planned: list[Shown], frames: Sequence[Frame], count: int
) -> tuple[list[Shown], dict[int, np.ndarray]]:
    """The planned parts without those that do not decode, and the pictures of their middles by timestamp."""
    parts, pictures = planned, {}
    if parts:
        pictures = film.pick(_ticks(parts, count), [frame.tick for frame in frames if frame.key])
    while parts and not _ticks(parts, count) <= pictures.keys():  # damage: which frames decode?
        pictures, decoded = film.scan(_ticks(parts, count), parts[0].tick, parts[-1].end)
        parts = [part for part in parts if part.tick in decoded]
    return parts, pictures


def _ticks(parts: list[Shown], count: int) -> set[int]:
    return {part.tick for part in middles(parts, count)}


def _open(path: Path) -> tuple[Film, list[str]]:
    """The first track of a film that is not black, and a note if there is a choice."""
    film = Film(path)
    if len(film.tracks) > 1:
        stat = path.stat()
        index, passed = _visible_track(path, stat.st_size, stat.st_mtime_ns)
        film.close()
        film = Film(path, index)
    else:
        index, passed = film.index, 0
    return film, containers.choice_note("picture", film.index, [track.index for track in film.tracks], passed)


@lru_cache(maxsize=8)  # the turns of one film
def _visible_track(path: Path, size: int, modified: int) -> tuple[int, int]:
    """The index of the first track that is not black, and the number of tracks before it; the first one if all are."""
    with Film(path) as film:
        indices = [track.index for track in film.tracks]
    for passed, index in enumerate(indices):
        with Film(path, index) as film:
            frames = film.frames(None, None)
            keys = [frame.tick for frame in frames if frame.key]
            some = {keys[(2 * i + 1) * len(keys) // (2 * LOOKS)] for i in range(LOOKS)} if keys else set()
            if some and not all(blank(picture) for picture in film.pick(some, keys).values()):
                return index, passed
    return indices[0], 0


def _fault(error: Exception) -> str:
    return str(error) if isinstance(error, NoPictureError) else f"cannot be read as video: {error_text(error)}"


def _cropped(picture: np.ndarray, crop: Crop | None) -> np.ndarray:
    if crop is None:
        return picture
    height, width = picture.shape[:2]
    left, top, right, bottom = crop
    x, y = round(left * width), round(top * height)
    return picture[y : max(y + 1, round(bottom * height)), x : max(x + 1, round(right * width))]
