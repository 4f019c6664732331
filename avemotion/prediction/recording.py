"""Any recording, and its pieces, for which models predict one by one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avemotion.formats.clips import ClipMedia
from avemotion.manifest.probe import LOUDEST, probe
from avemotion.media.container import STILL_FAULT
from avemotion.media.sound.decoding import RATES
from avemotion.media.sound.downmix import Downmix
from avemotion.media.sound.resampling import resampled
from avemotion.media.waveforms import SAMPLE_RATE, read_waveform

SHORTEST = 0.1  # seconds; shorter sound counts as none
# Faults of a file that has no such stream, which is no loss.
NONE = ("no picture in it", "no picture in it but a cover", "cannot be read as sound: no sound track")
HERE = Path("/")  # root of the absolute paths of recordings


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A file with sound, picture or both."""

    name: str  # as the user gave it, for texts
    path: Path  # absolute; of an array, the name
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
    name, path = str(path), path.absolute()
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
        name=name,
        path=path,
        waveform=None if sound.fault else read_waveform(path),
        picture_start=picture.start,
        picture_end=0.0 if picture.fault else picture.duration,
        notes=notes,
    )


def of_array(samples: np.ndarray, rate: int, name: str = "array") -> Recording:
    """A recording of sound in memory; a file with these samples has the same predictions.

    Args:
        samples: [T] or [T, channels]; floats with full scale 1, or signed integers with that of their type.
        rate: Hz.

    Raises:
        ValueError: the array has another form, no sound, or values that are not finite; or the rate is unusual.
    """
    blocks = Downmix().mix([(samples_of(samples, rate, name), rate)])
    waveform = np.concatenate(list(resampled(blocks, SAMPLE_RATE)))
    if not waveform.any():
        raise ValueError(f"{name}: no sound in it, all samples are zero")
    return Recording(name=name, path=Path(name), waveform=waveform, picture_start=0.0, picture_end=0.0, notes=[])


def samples_of(samples: np.ndarray, rate: int, name: str) -> np.ndarray:
    """float32 [T, channels] with full scale 1 from an array, with the arguments and errors of `of_array`.

    Unlike a recording, a block of it may be silent.
    """
    _check(samples, rate, name)
    if samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return np.asarray(samples, np.float32).reshape(len(samples), -1)


def _check(samples: np.ndarray, rate: int, name: str) -> None:
    """Raises ValueError where of_array refuses its arguments."""
    if not isinstance(rate, int | np.integer) or not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"{name}: rate is {rate!r}; give the sampling rate of the array in Hz, such as 16000")
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "if" or samples.dtype == np.int8:
        raise ValueError(
            f"{name}: an array of shape {samples.shape} and type {samples.dtype}; give [samples] or "
            "[samples, channels] as floats, int16 or int32"
        )
    if not samples.size:
        raise ValueError(f"{name}: no samples in it")
    if samples.ndim == 2 and samples.shape[1] > samples.shape[0]:
        raise ValueError(f"{name}: {samples.shape[1]} channels of {len(samples)} samples; give [samples, channels]")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: NaN or infinite samples in it")
    if samples.dtype.kind == "f" and (peak := float(np.abs(samples).max())) > LOUDEST:
        raise ValueError(f"{name}: samples of up to {peak:.0e}, where full scale is 1")


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
            waveform = usable(recording.waveform[round(start * SAMPLE_RATE) : stop])
        bounds = (None, None) if len(windows) == 1 else (start, None if last else end)
        picture = None
        if recording.picture_end > start and recording.picture_start < end:
            picture = film_clip(name, recording.path, bounds)
        pieces.append(Piece(name=name, start=start, end=end, waveform=waveform, picture=picture))
    return pieces


def usable(waveform: np.ndarray) -> np.ndarray | None:
    """The sound of a window [samples]; None where it is silent or shorter than SHORTEST."""
    return waveform if len(waveform) >= SHORTEST * SAMPLE_RATE and waveform.any() else None


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
