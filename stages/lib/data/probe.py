"""Media files hashed and opened once, so that no later stage meets a file that it cannot read."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from stages.lib.compute import ComputeParams, parallel

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
BLOCK = 1 << 16  # samples decoded at a time
SMALL = 1 << 28  # bytes; below this, starting worker processes takes longer than reading


@dataclass(frozen=True, kw_only=True)
class Media:
    """What one file holds."""

    hash: str  # blake2b-128 (hex) of the bytes
    content: str  # the same of the decoded samples; empty for video
    duration: float  # seconds
    fault: str | None  # why the file cannot be used


def probe_all(files: Iterable[tuple[Path, str]], compute: ComputeParams) -> dict[Path, Media]:
    """Probe each (path, "audio" or "video") once, with a progress bar; the result by path."""
    units = sorted(set(files))
    size = sum(path.stat().st_size for path, _ in units if path.is_file())
    if size < SMALL:
        compute = replace(compute, workers=1)
    return {path: media for (path, _), media in zip(units, parallel(probe, units, compute, "media files"), strict=True)}


def probe(unit: tuple[Path, str]) -> Media:
    """Hash one (path, "audio" or "video") and read its duration; sound is decoded, of video only the header is read."""
    path, kind = unit
    try:
        with path.open("rb") as stream:
            head = stream.read(len(LFS_POINTER))
            stream.seek(0)
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        return Media(hash="", content="", duration=0.0, fault=f"cannot be opened: {error.strerror}")
    unread = Media(hash=digest, content="", duration=0.0, fault=None)
    if not head:
        return replace(unread, fault="empty file")
    if head == LFS_POINTER:
        return replace(unread, fault="a git-lfs pointer, not the media itself; run `git lfs pull` in the corpus")
    return PROBES[kind](path, unread)


def _probe_sound(path: Path, unread: Media) -> Media:
    import soundfile

    digest, sound_found = hashlib.blake2b(digest_size=16), False
    try:
        with soundfile.SoundFile(path) as sound:
            digest.update(f"{sound.samplerate} {sound.channels} ".encode())
            for block in sound.blocks(BLOCK, dtype="int32"):
                digest.update(block.tobytes())
                sound_found = sound_found or bool(block.any())
            duration = round(sound.frames / sound.samplerate, 6)
    except (soundfile.SoundFileError, OSError) as error:
        return replace(unread, fault=_one_line("cannot be read as sound", error))
    if not duration:
        return replace(unread, fault="no samples in it")
    if not sound_found:
        return replace(unread, fault="no sound in it, all samples are zero")
    return replace(unread, content=digest.hexdigest(), duration=duration)


def _probe_video(path: Path, unread: Media) -> Media:
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return replace(unread, fault="no picture in it")
            stream = container.streams.video[0]
            if stream.duration:
                seconds = float(stream.duration * stream.time_base)
            else:
                seconds = (container.duration or 0) / av.time_base
            size = (stream.width, stream.height)
    except (av.FFmpegError, OSError, UnicodeError) as error:
        return replace(unread, fault=_one_line("cannot be read as video", error))
    if seconds <= 0 or not all(size):
        return replace(unread, fault=f"no picture in it: {seconds} s of {size[0]}x{size[1]}")
    return replace(unread, duration=round(seconds, 6))


PROBES = {"audio": _probe_sound, "video": _probe_video}


def _one_line(what: str, error: Exception) -> str:
    # The message may hold the absolute path, which would differ from machine to machine.
    text = str(getattr(error, "strerror", None) or getattr(error, "error_string", None) or type(error).__name__)
    return f"{what}: {' '.join(text.split())}"
