"""Opens media files with FFmpeg (PyAV) and places all of their streams on one clock.

The clock of a file starts at the earliest timestamp of its sound and picture, as in mpv and ffmpeg: a file that was
cut out of a longer one, or recorded from a broadcast, starts at 0 s, and a stream that starts later than the others
keeps its delay.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

Kind = Literal["audio", "video"]
# Formats that FFmpeg opens as video although they are none: pictures, and text rendered as on a terminal.
STILL = ("image2", "tty", "bin", "xbin", "adf", "idf")
STILL_FAULT = "a picture or a text, not a recording"

# Formats whose headers state the length of each stream; others estimate it, or state none.
STATES_LENGTH = ("flac", "avi", "mov,mp4,m4a,3gp,3g2,mj2")
SHORT = 0.1  # seconds by which a stream may be shorter than its header says
BLANK = {"sound": "silent", "picture": "black"}


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The container of a file.

    Raises:
        RuntimeError: FFmpeg reports an error, while opening or later. A lack of memory stays a MemoryError, because it
            is no fault of the file.
    """
    import av

    try:
        # Without `file:`, FFmpeg takes a colon in the name for a protocol; tags need not be valid UTF-8.
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            yield container
    except MemoryError:
        raise
    except av.FFmpegError as error:
        raise RuntimeError(error_of(error)) from error


def error_of(error: Exception) -> str:
    """FFmpeg's own words for an error."""
    return getattr(error, "strerror", None) or type(error).__name__


def is_still(container: Any) -> bool:
    """Whether a container is a picture or a text."""
    name = container.format.name
    return name in STILL or name.endswith("_pipe")


def tracks(container: Any, kind: Kind) -> list[Any]:
    """The streams of a kind whose codec is known, those marked as default first; no covers."""
    import av

    default, cover = av.stream.Disposition.default, av.stream.Disposition.attached_pic
    streams = [s for s in getattr(container.streams, kind) if s.codec_context is not None]
    if kind == "video":
        streams = [s for s in streams if not s.disposition & cover and s.width and s.height]
    return sorted(streams, key=lambda s: (not s.disposition & default, s.index))


def clock_start(container: Any) -> Fraction:
    """Seconds from zero of the container's timestamps to zero of the file's clock."""
    streams = [*tracks(container, "audio"), *tracks(container, "video")]
    return min((s.start_time * s.time_base for s in streams if s.start_time is not None), default=Fraction(0))


def prepare(stream: Any) -> None:
    """Decode with one thread: workers are processes, and the result must not depend on the machine."""
    stream.codec_context.thread_count = 1
    stream.thread_type = "NONE"


def packets_of(container: Any, stream: Any) -> Iterator[Any]:
    """The packets of a stream, until the file ends or no further packet can be read."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.EOFError):
            return
        except MemoryError:
            raise
        except av.FFmpegError:  # the rest of the file is damaged
            return


def stated_seconds(container: Any, stream: Any) -> float:
    """Length of a stream by the header; 0 if that is not to be relied on."""
    if container.format.name not in STATES_LENGTH:
        return 0.0
    # AVI: the duration is that of the packets that are there, `frames` is the header's.
    ticks = stream.frames if container.format.name == "avi" else stream.duration
    return float((ticks or 0) * stream.time_base)


def short_note(kind: str, seconds: float, stated: float) -> list[str]:
    """A note where a stream is shorter than its header says, as in a file that was cut off.

    Raises:
        RuntimeError: less than half of it is there.
    """
    if 2 * seconds < stated:
        raise RuntimeError(f"{kind} decodes for {seconds:.2f} s of {stated:.2f} s only")
    missing = seconds < stated - SHORT
    return [f"{kind}: {seconds:.2f} s are there of {stated:.2f} s by the header"] if missing else []


def choice_note(kind: str, index: int, indices: Sequence[int], passed: int) -> list[str]:
    """A note where another track than the first of several is used.

    Args:
        kind: sound or picture.
        index: of the stream in use; indices: of all of them.
        passed: number of silent or black tracks that come before it in the order of `tracks`.
    """
    which = f"{kind}: track {1 + sorted(indices).index(index)} of {len(indices)} is used"
    if passed:
        return [f"{which}, because {passed} before it {'is' if passed == 1 else 'are'} {BLANK[kind]}"]
    return [f"{which}, which the file marks as default"] if index != min(indices) else []
