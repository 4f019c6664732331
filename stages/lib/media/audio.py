"""Recordings -> mono waveforms."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000  # Hz, of every extractor
BLOCK = 1 << 16  # samples decoded at a time


def read_waveform(path: Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """The sound of any media file -> float32 [samples] in about -1..1, channels averaged, resampled.

    Raises:
        ValueError: the file does not decode, is empty, or holds NaN or infinite samples; names the file.
    """
    path = Path(path)
    samples, rate = bytearray(), sample_rate  # grows in place: hours of sound are held once, not in parts and whole
    try:
        for channels, rate in decode(path):  # noqa: B007 (the same for every block)
            samples += channels.mean(1, dtype=np.float32).tobytes()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path}: cannot be read as sound ({error}); repair or remove the file") from error
    waveform = np.frombuffer(samples, np.float32)
    if not waveform.size:
        raise ValueError(f"{path}: holds no sound; repair or remove the file")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path}: holds NaN or infinite samples; repair or remove the file")
    if rate != sample_rate:
        waveform = _resample(waveform, rate, sample_rate)
    return waveform


def decode(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of (float32 [samples, channels], Hz); none where the file has no samples.

    wav and flac go through soundfile, the sound of everything else (mp4, avi, flv, mp3 ...) through FFmpeg (PyAV).

    Raises:
        OSError, RuntimeError: the file does not decode or has no sound track.
    """
    return (_soundfile if path.suffix.lower() in (".wav", ".flac") else _ffmpeg)(path)


def _soundfile(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    import soundfile

    with soundfile.SoundFile(path) as sound:  # its errors are RuntimeErrors
        for block in sound.blocks(BLOCK, dtype="float32", always_2d=True):
            yield block, sound.samplerate


def _ffmpeg(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """The first sound track."""
    import av

    try:
        # Without `file:`, a colon in the name is taken for a protocol; tags need not be valid UTF-8.
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise RuntimeError("no sound track")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise RuntimeError("unknown codec")
            planar = av.AudioResampler(format="fltp")  # the sample format alone; rate and channels stay
            for decoded in container.decode(stream):
                for frame in planar.resample(decoded):
                    yield frame.to_ndarray().T, frame.sample_rate
    except av.FFmpegError as error:
        raise RuntimeError(getattr(error, "strerror", None) or type(error).__name__) from error


def _resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """In stretches of a minute: an hour at once takes gigabytes."""
    # Imported here: recordings at the wanted rate need no torch, whose import takes seconds.
    import torch
    import torchaudio.functional as AF

    common = math.gcd(rate, sample_rate)
    before, after = rate // common, sample_rate // common  # so many samples in give so many out, exactly
    steps = 60 * common
    margin = 10  # steps on both sides that a stretch is computed with; the filter reaches less than 8
    resampled = np.empty(-(-len(waveform) * after // before), np.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for one recording, and the last bit does not depend on the machine
    try:
        for first in range(0, math.ceil(len(waveform) / before), steps):
            start = max(0, first - margin)
            stretch = waveform[start * before : (first + steps + margin) * before]
            made = AF.resample(torch.from_numpy(stretch), rate, sample_rate).numpy()[(first - start) * after :]
            place = resampled[first * after : (first + steps) * after]
            place[:] = made[: len(place)]
    finally:
        torch.set_num_threads(threads)
    return resampled
