"""Hashes and opens every media file once, so that later stages get readable files only."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from avemotion.media.pictures import look
from avemotion.media.stills import file_of, is_still, read_still
from avemotion.media.waveforms import Sound
from avemotion.params.shared.compute import ComputeParams
from avemotion.system.media_error import error_text
from avemotion.system.workers import parallel

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
POINTER_FAULT = "a git-lfs pointer, not the media itself; fetch the media with `git lfs pull` in the corpus"
LOUDEST = 2.0**31  # full scale is 1; recordings scaled as integers reach this; features of louder ones are not finite
SMALL = 1 << 28  # bytes; with less than this, starting worker processes takes longer than reading the files

Unit = tuple[Path, str]  # file, and "audio" or "video"; a film may occur as both


@dataclass(frozen=True, kw_only=True)
class Media:
    """The contents of one file."""

    hash: str  # blake2b-128 (hex) of the bytes
    content: str  # the same of the samples as the models read them, or of the pixels of a still; empty for films
    duration: float  # seconds from the start of the file's clock to the end of the sound or picture
    fault: str | None  # reason why the file cannot be used
    start: float = 0.0  # of the picture, seconds on the file's clock
    notes: tuple[str, ...] = ()  # what differs from a clean file: track chosen, late start, bad packets


class Known(Protocol):
    """Results of earlier runs."""

    def get(self, unit: Unit) -> Media | None: ...

    def put(self, unit: Unit, media: Media) -> None: ...


def probe_all(files: Iterable[Unit], compute: ComputeParams, known: Known) -> dict[Unit, Media]:
    """Probe each file once, with a progress bar, except unchanged files of earlier runs."""
    units = sorted(set(files))
    probed = {unit: media for unit in units if (media := known.get(unit))}
    unknown = [unit for unit in units if unit not in probed]
    size = sum(path.stat().st_size for path, _ in unknown if path.is_file())
    if size < SMALL:
        compute = replace(compute, workers=1)
    if not unknown:
        return probed
    for unit, media in zip(unknown, parallel(probe, unknown, compute, "media files"), strict=True):
        probed[unit] = media
        known.put(unit, media)
    return probed


def probe(unit: Unit) -> Media:
    """Hash one file and read its duration. Sound and stills are decoded as a whole, of a film the first picture."""
    path, kind = unit
    if file_of(path) != path:
        return _probe_still(path, Media(hash="", content="", duration=0.0, fault=None))
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
    if kind == "video" and is_still(path):
        return _probe_still(path, unread)
    return PROBES[kind](path, unread)


def _probe_sound(path: Path, unread: Media) -> Media:
    digest, rate, peak = hashlib.blake2b(digest_size=16), 0, 0.0
    sound = Sound(path)
    try:
        for samples, block_rate in sound.blocks():
            if block_rate != rate:
                rate = block_rate
                digest.update(f"{rate} ".encode())
            digest.update(samples)
            peak = float(np.maximum(peak, np.abs(samples).max(initial=0.0)))  # NaN stays NaN
    except (OSError, RuntimeError) as error:
        return replace(unread, fault=f"cannot be read as sound: {error_text(error)}")
    if not sound.seconds:
        return replace(unread, fault="no samples in it")
    if not math.isfinite(peak):
        return replace(unread, fault="NaN or infinite samples in it")
    if peak > LOUDEST:
        return replace(unread, fault=f"samples of up to {peak:.0e}, where full scale is 1")
    if not peak:
        return replace(unread, fault="no sound in it, all samples are zero")
    return replace(unread, content=digest.hexdigest(), duration=round(sound.seconds, 6), notes=tuple(sound.notes))


def _probe_video(path: Path, unread: Media) -> Media:
    try:
        span = look(path)
    except ValueError as error:
        return replace(unread, fault=str(error))
    return replace(unread, start=round(span.start, 6), duration=round(span.end, 6), notes=tuple(span.notes))


def _probe_still(path: Path, unread: Media) -> Media:
    """A row of a table has the hash of its pixels, because the table's would be that of every row."""
    try:
        pixels = read_still(path)
    except OSError as error:
        return replace(unread, fault=f"cannot be opened: {error_text(error)}")
    except ValueError as error:
        return replace(unread, fault=str(error))
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(pixels)
    return replace(unread, hash=unread.hash or digest.hexdigest(), content=digest.hexdigest())


PROBES = {"audio": _probe_sound, "video": _probe_video}
