"""Recordings -> mono waveforms."""

from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000  # Hz, of every extractor


def read_waveform(path: Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """The sound of any media file -> float32 [samples] in about -1..1, channels averaged, resampled.

    wav and flac go through soundfile, everything else (mp4, avi, mp3 ...) through FFmpeg (PyAV).

    Raises:
        ValueError: the file does not decode, is empty, or holds NaN or infinite samples; names the file.
    """
    path = Path(path)
    try:
        channels, rate = (_soundfile if path.suffix.lower() in (".wav", ".flac") else _ffmpeg)(path)
    except (OSError, RuntimeError) as error:  # both libraries' errors derive from these
        raise ValueError(f"{path}: cannot be read as sound ({error}); repair or remove the file") from error
    waveform = channels.mean(1, dtype=np.float32)
    if not waveform.size:
        raise ValueError(f"{path}: holds no sound; repair or remove the file")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path}: holds NaN or infinite samples; repair or remove the file")
    if rate != sample_rate:
        waveform = _resample(waveform, rate, sample_rate)
    return waveform


def _soundfile(path: Path) -> tuple[np.ndarray, int]:
    """float32 [samples, channels], Hz."""
    import soundfile

    return soundfile.read(path, dtype="float32", always_2d=True)


def _ffmpeg(path: Path) -> tuple[np.ndarray, int]:
    """float32 [samples, channels], Hz, of the first sound track."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise RuntimeError("no sound track")
        stream = container.streams.audio[0]
        planar = av.AudioResampler(format="fltp")  # the sample format alone; rate and channels stay
        blocks = [frame for decoded in container.decode(stream) for frame in planar.resample(decoded)]
        rate = stream.rate
    if not blocks:
        return np.zeros((0, 1), np.float32), rate
    return np.concatenate([block.to_ndarray() for block in blocks], axis=1).T, rate


def _resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    # Imported here: recordings at the wanted rate need no torch, whose import takes seconds.
    import torch
    import torchaudio.functional as AF

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for one recording, and the last bit does not depend on the machine
    try:
        return AF.resample(torch.from_numpy(waveform), rate, sample_rate).numpy()
    finally:
        torch.set_num_threads(threads)
