"""Writers of the media files: same samples, same bytes."""

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

# One thread and bitexact: neither the machine's cores nor library versions and dates enter the file.
# mbtree off: x264's AVX-512 code for it reads uninitialised memory, so that bytes differ from run to run.
_H264 = {"crf": "27", "preset": "veryfast", "mbtree": "0", "threads": "1", "g": "60", "flags": "+bitexact"}
_MPEG4 = {"qmin": "7", "qmax": "12", "b": "250k", "threads": "1", "g": "60", "flags": "+bitexact"}


def write_wav(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    """waveform [samples] in -1..1 -> 16 bit mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes())


def write_mp4(path: Path, pictures: Iterable[np.ndarray], fps: Fraction) -> None:
    """pictures: I420 [3/2 H, W] uint8 each, H and W even -> H.264 without sound."""
    _encode(path, pictures, fps, container="mp4", codec="libx264", options=_H264)


def write_avi(path: Path, pictures: Iterable[np.ndarray], fps: Fraction) -> None:
    """As write_mp4, -> MPEG-4 part 2 (DivX) without sound."""
    _encode(path, pictures, fps, container="avi", codec="mpeg4", options=_MPEG4, tag="DX50")


def _encode(
    path: Path,
    pictures: Iterable[np.ndarray],
    fps: Fraction,
    *,
    container: str,
    codec: str,
    options: dict[str, str],
    tag: str | None = None,
) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream(codec, rate=fps, options=options)
        stream.codec_context.thread_count = 1
        if tag:
            stream.codec_context.codec_tag = tag
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[0] * 2 // 3, picture.shape[1]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / fps
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
