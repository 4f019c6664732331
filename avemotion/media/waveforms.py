"""Reads recordings as mono waveforms."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avemotion.system.media_error import MediaError, error_text

SAMPLE_RATE = 16_000  # Hz, of every extractor
BLOCK = 1 << 16  # samples decoded at a time
REMEDY = "repair or remove the file"


def read_waveform(path: Path, sample_rate: int = SAMPLE_RATE, seconds: float | None = None) -> np.ndarray:
    """The sound of any media file as float32 [samples] in about -1..1, mean over channels, resampled.

    Args:
        seconds: read only this many seconds from the beginning; None = all.

    Raises:
        MediaError: the file does not decode, is empty, or has NaN or infinite samples.
    """
    path = Path(path)
    wanted = None if seconds is None else round(seconds * sample_rate)
    samples = bytearray()  # it grows in place, so memory holds the sound once, not also in parts
    try:
        for part in _at_rate(_mono(path), sample_rate):
            samples += part.data
            if wanted is not None and len(samples) >= wanted * part.itemsize:
                break
    except (OSError, RuntimeError) as error:
        raise MediaError(path, f"cannot be read as sound ({error_text(error)}); {REMEDY}") from error
    if not samples:
        raise MediaError(path, f"holds no sound; {REMEDY}")
    return np.frombuffer(samples, np.float32)[:wanted]


def read_start(path: Path, seconds: float) -> tuple[np.ndarray, bool]:
    """The first seconds of `read_waveform`, and whether the recording is longer."""
    return start(read_waveform(path, seconds=seconds + 1 / SAMPLE_RATE), seconds)


def start(waveform: np.ndarray, seconds: float) -> tuple[np.ndarray, bool]:
    """The first seconds of a waveform [samples] at SAMPLE_RATE, and whether it is longer."""
    limit = round(seconds * SAMPLE_RATE)
    return waveform[:limit], len(waveform) > limit


def decode(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of (float32 [samples, channels], Hz); none if the file has no samples.

    soundfile decodes wav and flac, FFmpeg (PyAV) all other files (mp4, avi, flv, mp3 ...).

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
        # Without `file:`, FFmpeg takes a colon in the name for a protocol; tags need not be valid UTF-8.
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise RuntimeError("no sound track")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise RuntimeError("unknown codec")
            planar = av.AudioResampler(format="fltp")  # changes the sample format only
            for decoded in container.decode(stream):
                for frame in planar.resample(decoded):
                    yield frame.to_ndarray().T, frame.sample_rate
    except av.FFmpegError as error:
        raise RuntimeError(getattr(error, "strerror", None) or type(error).__name__) from error


def _mono(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of (float32 [samples], Hz), the mean over channels."""
    for channels, rate in decode(path):
        block = channels.mean(1, dtype=np.float32)
        if not np.isfinite(block).all():
            raise MediaError(path, f"holds NaN or infinite samples; {REMEDY}")
        yield block, rate


def _at_rate(blocks: Iterator[tuple[np.ndarray, int]], sample_rate: int) -> Iterator[np.ndarray]:
    """Resample in parts of a minute: an hour at once takes gigabytes.

    Each part is computed with a margin on both sides that is longer than the filter, so that the joined parts equal the
    resampled whole.
    """
    margin = 10  # steps; the filter is shorter than 8 on each side
    waiting: list[np.ndarray] = []  # samples from step max(0, first - margin) on
    first = total = before = after = steps = 0

    def next_part() -> np.ndarray:
        """The next part; `waiting` keeps the samples that the part after it needs."""
        nonlocal waiting, first
        start, stop = max(0, first - margin), first + steps
        samples = np.concatenate(waiting)
        resampled = _resample(samples[: (stop + margin - start) * before], rate, sample_rate)
        end = min(stop * after, -(-total * after // before))
        waiting, begin, first = [samples[(stop - margin - start) * before :].copy()], first, stop
        return resampled[(begin - start) * after : end - start * after]

    for block, rate in blocks:
        if rate == sample_rate:
            yield block
            continue
        common = math.gcd(rate, sample_rate)
        before, after, steps = (
            rate // common,
            sample_rate // common,
            60 * common,
        )  # `before` samples become exactly `after`
        waiting.append(block)
        total += len(block)
        while total >= (first + steps + margin) * before:
            yield next_part()
    while first * before < total:
        yield next_part()


def _resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    # Imported here, because it takes seconds and recordings at the wanted rate do not need it.
    import torch
    import torchaudio.functional as AF

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for one recording, and the last bit is the same on every machine
    try:
        return AF.resample(torch.from_numpy(np.ascontiguousarray(waveform)), rate, sample_rate).numpy()
    finally:
        torch.set_num_threads(threads)
