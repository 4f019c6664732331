"""Any recording -> windows that the extractors of the pipeline take as clips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.lib.data.clips import ClipMedia
from stages.lib.data.probe import STILL_FAULT, probe
from stages.lib.media.audio import SAMPLE_RATE, read_waveform

SHORTEST = 0.1  # seconds of sound that are worth hearing


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A file that holds sound, picture or both."""

    path: Path  # absolute
    waveform: np.ndarray | None  # [samples] at 16 kHz; None = no sound
    seen: float  # seconds of picture; 0 = none

    @property
    def seconds(self) -> float:
        """Until both sound and picture have ended."""
        heard = 0.0 if self.waveform is None else len(self.waveform) / SAMPLE_RATE
        return max(heard, self.seen)


def read(path: Path) -> Recording:
    """Open a media file that FFmpeg or libsndfile knows.

    Raises:
        ValueError: it holds neither sound nor picture; says why.
    """
    path = path.absolute()
    sound, picture = probe((path, "audio")), probe((path, "video"))
    if sound.fault and picture.fault == STILL_FAULT:
        raise ValueError(f"{path}: {STILL_FAULT}; give an audio or video file")
    if sound.fault and picture.fault:
        reason = sound.fault if sound.fault == picture.fault else f"{sound.fault}; {picture.fault}"
        raise ValueError(f"{path}: neither sound nor picture ({reason}); give an audio or video file")
    waveform = None if sound.fault else read_waveform(path)
    return Recording(path=path, waveform=waveform, seen=0.0 if picture.fault else picture.duration)


def spans(seconds: float, window: float, hop: float) -> list[tuple[float, float]]:
    """Start and end in seconds of windows every hop seconds. The last one reaches to the end and is at most hop / 2
    longer or shorter than window, so that no scrap is left over; a short recording is one window."""
    count = max(1, round((seconds - window) / hop) + 1)
    return [(i * hop, seconds if i == count - 1 else i * hop + window) for i in range(count)]


def cut(recording: Recording, windows: list[tuple[float, float]], folder: Path) -> list[ClipMedia]:
    """A clip a window, its sound as a file in folder; None for a sound or picture that has ended or is silent.

    The only window of a short recording is all of it, to the last sample and frame.
    """
    made = []
    for i, (start, end) in enumerate(windows):
        last = i == len(windows) - 1
        name, heard = f"{i:06d}", None
        if recording.waveform is not None:
            stop = len(recording.waveform) if last else round(end * SAMPLE_RATE)
            samples = recording.waveform[round(start * SAMPLE_RATE) : stop]
            if len(samples) >= SHORTEST * SAMPLE_RATE and samples.any():
                heard = write_sound(folder / f"{name}.wav", samples)
        bounds = (None, None) if len(windows) == 1 else (start, None if last else end)
        made.append(
            ClipMedia(
                id=name,
                audio=heard,
                video=str(recording.path) if recording.seen > start else None,
                video_start=bounds[0],
                video_end=bounds[1],
                video_crop=None,
                duration=end - start,
                audio_hash=None,
                video_hash=None,
            )
        )
    return made


def write_sound(file: Path, waveform: np.ndarray) -> str:
    """waveform [samples] as a file that reads back as the same numbers; returns its name."""
    import soundfile

    soundfile.write(file, waveform, SAMPLE_RATE, subtype="FLOAT")
    return file.name
