"""Media files hashed and opened once, so that no later stage meets a file that it cannot read."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from avemotion.media import waveforms
from avemotion.media.pictures import decodes
from avemotion.params.shared.compute import ComputeParams
from avemotion.system.compute import parallel
from avemotion.system.media_error import error_text

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
POINTER_FAULT = "a git-lfs pointer, not the media itself; fetch the media with `git lfs pull` in the corpus"
# What FFmpeg shows as a film although it is none: pictures, and any text as a terminal would show it.
STILL = ("image2", "tty", "bin", "xbin", "adf", "idf")
STILL_FAULT = "a picture or a text, not a recording"
LOUDEST = 2.0**31  # full scale is 1; recordings scaled as integers reach this, beyond it features are no numbers
SMALL = 1 << 28  # bytes; below this, handing files to worker processes takes longer than reading them

Unit = tuple[Path, str]  # file, "audio" or "video": a film may be both


@dataclass(frozen=True, kw_only=True)
class Media:
    """What one file holds."""

    hash: str  # blake2b-128 (hex) of the bytes
    content: str  # the same of the decoded samples; empty for video
    duration: float  # seconds
    fault: str | None  # why the file cannot be used


class Known(Protocol):
    """What is known of files from earlier runs."""

    def get(self, unit: Unit) -> Media | None: ...

    def put(self, unit: Unit, media: Media) -> None: ...


def probe_all(files: Iterable[Unit], compute: ComputeParams, known: Known) -> dict[Unit, Media]:
    """Probe each file once, with a progress bar, unless it is known and unchanged since."""
    units = sorted(set(files))
    found = {unit: media for unit in units if (media := known.get(unit))}
    unknown = [unit for unit in units if unit not in found]
    size = sum(path.stat().st_size for path, _ in unknown if path.is_file())
    if size < SMALL:
        compute = replace(compute, workers=1)
    if not unknown:
        return found
    for unit, media in zip(unknown, parallel(probe, unknown, compute, "media files"), strict=True):
        found[unit] = media
        known.put(unit, media)
    return found


def probe(unit: Unit) -> Media:
    """Hash one file and read its duration; sound is decoded, of video the header and the first picture."""
    path, kind = unit
    try:
        with path.open("rb") as stream:
            head = stream.read(len(LFS_POINTER))
            stream.seek(0)
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return Media(hash="", content="", duration=0.0, fault=f"cannot be opened: {error_text(error)}")
    unread = Media(hash=digest, content="", duration=0.0, fault=None)
    if not head:
        return replace(unread, fault="empty file")
    if head == LFS_POINTER:
        return replace(unread, fault=POINTER_FAULT)
    return PROBES[kind](path, unread)


def _probe_sound(path: Path, unread: Media) -> Media:
    digest, samples, rate, peak = hashlib.blake2b(digest_size=16), 0, 0, 0.0
    try:
        for channels, rate in waveforms.decode(path):
            if not samples:
                digest.update(f"{rate} {channels.shape[1]} ".encode())
            digest.update(np.ascontiguousarray(channels))
            samples += len(channels)
            peak = float(np.maximum(peak, np.abs(channels).max(initial=0.0)))  # NaN stays NaN
    except (OSError, RuntimeError) as error:
        return replace(unread, fault=f"cannot be read as sound: {error_text(error)}")
    if not samples:
        return replace(unread, fault="no samples in it")
    if not math.isfinite(peak):
        return replace(unread, fault="NaN or infinite samples in it")
    if peak > LOUDEST:
        return replace(unread, fault=f"samples of up to {peak:.0e}, where full scale is 1")
    if not peak:
        return replace(unread, fault="no sound in it, all samples are zero")
    return replace(unread, content=digest.hexdigest(), duration=round(samples / rate, 6))


def _probe_video(path: Path, unread: Media) -> Media:
    import av

    try:
        # Without `file:`, a colon in the name is taken for a protocol; tags need not be valid UTF-8.
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            if container.format.name in STILL or container.format.name.endswith("_pipe"):
                return replace(unread, fault=STILL_FAULT)
            if not container.streams.video:
                return replace(unread, fault="no picture in it")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                return replace(unread, fault="cannot be read as video: unknown codec")
            if stream.disposition & av.stream.Disposition.attached_pic:
                return replace(unread, fault="no picture in it but a cover")
            if stream.duration:
                seconds = float(stream.duration * stream.time_base)
            else:
                seconds = (container.duration or 0) / av.time_base
            size = (stream.width, stream.height)
    except (av.FFmpegError, OSError, UnicodeError) as error:
        return replace(unread, fault=f"cannot be read as video: {error_text(error)}")
    if seconds <= 0 or not all(size):
        return replace(unread, fault=f"no picture in it: {seconds} s of {size[0]}x{size[1]}")
    if not decodes(path):
        return replace(unread, fault="cannot be read as video: its first picture does not decode")
    return replace(unread, duration=round(seconds, 6))


PROBES = {"audio": _probe_sound, "video": _probe_video}
