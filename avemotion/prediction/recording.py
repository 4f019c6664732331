"""Any recording, and its pieces, for which models predict one by one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avemotion.formats.clips import ClipMedia
from avemotion.manifest.probe import probe
from avemotion.media.container import STILL_FAULT
from avemotion.media.waveforms import SAMPLE_RATE, read_waveform

SHORTEST = 0.1  # seconds; shorter sound counts as none
# Faults of a file that has no such stream, which is no loss.
NONE = ("no picture in it", "no picture in it but a cover", "cannot be read as sound: no sound track")
HERE = Path("/")  # root of the absolute paths of recordings


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A file with sound, picture or both."""

    path: Path  # absolute
    waveform: np.ndarray | None  # [samples] at 16 kHz from the start of the file's clock; None = no sound
    picture_start: float  # seconds on the file's clock
    picture_end: float  # 0 = no picture
    notes: list[str]  # what was not read of the file, or not as the file says, with the reason

    @property
    def seconds(self) -> float:
        """Length: the longer of sound and picture."""
        sound_seconds = 0.0 if self.waveform is None else len(self.waveform) / SAMPLE_RATE
        return max(sound_seconds, self.picture_end)

    @property
    def has_picture(self) -> bool:
        return self.picture_end > 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a recording in memory: a window, or a turn of a dialogue."""

    name: str
    start: float  # seconds
    end: float
    waveform: np.ndarray | None  # [samples] at 16 kHz; None = no sound
    picture: ClipMedia | None  # place of its frames; None = no picture


def read(path: Path) -> Recording:
    """Open a media file of a format of FFmpeg or libsndfile.

    Raises:
        ValueError: the file has neither sound nor picture.
    """
    path = path.absolute()
    sound, picture = probe((path, "audio")), probe((path, "video"))
    if sound.fault and picture.fault == STILL_FAULT:
        raise ValueError(f"{path}: {STILL_FAULT}; give an audio or video file")
    if sound.fault and picture.fault:
        reason = sound.fault if sound.fault == picture.fault else f"{sound.fault}; {picture.fault}"
        raise ValueError(f"{path}: neither sound nor picture ({reason}); give an audio or video file")
    notes = [f"{path.name}: {note}" for media in (sound, picture) for note in media.notes]
    notes += [
        f"{path.name}: {kind} is not used: {media.fault}"
        for kind, media in (("sound", sound), ("picture", picture))
        if media.fault and media.fault not in NONE
    ]
    return Recording(
        path=path,
        waveform=None if sound.fault else read_waveform(path),
        picture_start=picture.start,
        picture_end=0.0 if picture.fault else picture.duration,
        notes=notes,
    )


def spans(seconds: float, window: float, hop: float) -> list[tuple[float, float]]:
    """Start and end in seconds of windows every hop seconds.

    The last one ends with the recording and is at most hop / 2 longer or shorter than window. A short recording is one
    window.
    """
    count = max(1, round((seconds - window) / hop) + 1)
    return [(i * hop, seconds if i == count - 1 else i * hop + window) for i in range(count)]


def cut(recording: Recording, windows: list[tuple[float, float]]) -> list[Piece]:
    """One piece per window; without sound if it has ended or is silent, without picture where there is none.

    The only window of a short recording is the whole recording, to the last sample and frame.
    """
    pieces = []
    for i, (start, end) in enumerate(windows):
        last, name, waveform = i == len(windows) - 1, f"{i:06d}", None
        if recording.waveform is not None:
            stop = len(recording.waveform) if last else round(end * SAMPLE_RATE)
            samples = recording.waveform[round(start * SAMPLE_RATE) : stop]
            waveform = samples if len(samples) >= SHORTEST * SAMPLE_RATE and samples.any() else None
        bounds = (None, None) if len(windows) == 1 else (start, None if last else end)
        picture = None
        if recording.picture_end > start and recording.picture_start < end:
            picture = film_clip(name, recording.path, bounds)
        pieces.append(Piece(name=name, start=start, end=end, waveform=waveform, picture=picture))
    return pieces


def film_clip(name: str, path: Path, bounds: tuple[float | None, float | None]) -> ClipMedia:
    """The picture of a file between bounds in seconds (None = from its beginning, to its end)."""
    return ClipMedia(
        id=name,
        audio=None,
        video=str(path),
        video_start=bounds[0],
        video_end=bounds[1],
        video_crop=None,
        duration=0.0,
        audio_hash=None,
        video_hash=None,
    )
