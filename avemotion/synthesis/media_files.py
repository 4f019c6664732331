"""Writers of the media files; the same samples give the same bytes."""

import wave
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class _Format:
    """A video format of PyAV."""

    container: str
    codec: str
    options: dict[str, str]  # of the codec
    tag: str | None = None  # FourCC of the codec; None = the container's default


# One thread and bitexact, so that the file depends neither on the number of cores nor on library versions and dates.
# mbtree off: its AVX-512 code in x264 reads uninitialised memory, so that bytes differ from run to run.
_H264 = _Format(
    container="mp4",
    codec="libx264",
    options={"crf": "27", "preset": "veryfast", "mbtree": "0", "threads": "1", "g": "60", "flags": "+bitexact"},
)
_MPEG4 = _Format(
    container="avi",
    codec="mpeg4",
    options={"qmin": "7", "qmax": "12", "b": "250k", "threads": "1", "g": "60", "flags": "+bitexact"},
    tag="DX50",
)


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
    _encode(path, pictures, fps, _H264)


def write_avi(path: Path, pictures: Iterable[np.ndarray], fps: Fraction) -> None:
    """Same pictures as in write_mp4 -> MPEG-4 part 2 (DivX) without sound."""
    _encode(path, pictures, fps, _MPEG4)


def _encode(path: Path, pictures: Iterable[np.ndarray], fps: Fraction, form: _Format) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=form.container, options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream(form.codec, rate=fps, options=form.options)
        stream.codec_context.thread_count = 1
        if form.tag:
            stream.codec_context.codec_tag = form.tag
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[0] * 2 // 3, picture.shape[1]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / fps
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
