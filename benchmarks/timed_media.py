"""Writers of recordings in which time can be read: beeps of known pitch, and films whose picture is a clock.

A picture has four bars, the digits to base 8 of its time in hundredths of a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT, BARS, STEP = 64, 48, 4, 28  # pixels; digits; brightness from digit to digit
BEEP = 0.25  # seconds
READ = 16_000  # Hz, of the waveforms that are looked at


@dataclass(frozen=True, kw_only=True)
class Codecs:
    """How a container is usually filled; None = no such stream."""

    video: str | None
    audio: str | None
    rate: int = 44_100  # Hz
    layout: str = "mono"
    trims: bool = True  # whether readers leave out the priming of the encoder, which then is before zero


FORMATS = {
    ".wav": Codecs(video=None, audio="pcm_s16le"),
    ".flac": Codecs(video=None, audio="flac"),
    ".mp3": Codecs(video=None, audio="libmp3lame"),
    ".aac": Codecs(video=None, audio="aac", trims=False),
    ".m4a": Codecs(video=None, audio="aac"),
    ".ogg": Codecs(video=None, audio="vorbis", layout="stereo"),
    ".opus": Codecs(video=None, audio="libopus", rate=48_000),
    ".webm": Codecs(video="libvpx", audio="libopus", rate=48_000),
    ".mkv": Codecs(video="libx264", audio="aac"),
    ".mp4": Codecs(video="libx264", audio="aac"),
    ".mov": Codecs(video="libx264", audio="pcm_s16le"),
    ".avi": Codecs(video="mpeg4", audio="libmp3lame", trims=False),
    ".flv": Codecs(video="flv", audio="libmp3lame", trims=False),
    ".wmv": Codecs(video="wmv2", audio="wmav2", layout="stereo", trims=False),
    ".ts": Codecs(video="libx264", audio="aac", trims=False),
}


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A track of beeps."""

    beeps: Sequence[tuple[float, float]]  # (seconds on the clock of the track, Hz)
    seconds: float  # length of the track
    offset: float = 0.0  # seconds that are added to its timestamps
    hole: tuple[float, float] = (0.0, 0.0)  # its packets between these times are not written
    rate: int | None = None  # Hz; None = the usual one of the format
    default: bool = True


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A track of clock pictures."""

    times: Sequence[float]  # seconds of each frame; the picture shows this time plus offset and ahead
    offset: float = 0.0
    ahead: float = 0.0  # seconds
    black: bool = False
    rate: int = 25  # frames per second that the header claims
    default: bool = True


def write(
    file: Path,
    sounds: Sequence[Sound],
    films: Sequence[Pictures] = (),
    *,
    form: str | None = None,
    options: dict[str, str] | None = None,
) -> float:
    """Write tracks with the usual codecs of the suffix; form: of the container, if it is another.

    Returns:
        Seconds from zero of the tracks to zero of the file's clock, which starts at the earliest timestamp.
    """
    codecs = FORMATS[file.suffix]
    with av.open(f"file:{file}", "w", format=form, options=options or {}) as container:
        tracks = [(film, _video_stream(container, codecs, film)) for film in films]
        heard = [(sound, _audio_stream(container, codecs, sound)) for sound in sounds]
        packets = [packet for film, stream in tracks for packet in _encode_film(film, stream)]
        packets += [packet for sound, stream in heard for packet in _encode_sound(sound, stream)]
        # Readers of the other formats place what the encoder adds before the first sample, too.
        first = min([track.offset for track in [*sounds, *films]])
        if not codecs.trims or (file.suffix == ".mp4" and first > 0):
            first = min(float(packet.pts * packet.time_base) for packet in packets)
        for packet in sorted(packets, key=lambda p: (p.dts if p.dts is not None else p.pts) * p.time_base):
            container.mux(packet)
    return first


def beep(beeps: Sequence[tuple[float, float]], seconds: float, rate: int) -> np.ndarray:
    """Beeps in faint noise as float32 [samples] at rate Hz."""
    samples = np.random.default_rng(0).uniform(-1e-3, 1e-3, round(seconds * rate)).astype(np.float32)
    for begin, pitch in beeps:
        first = round(begin * rate)
        time = np.arange(min(round(BEEP * rate), len(samples) - first)) / rate
        samples[first : first + len(time)] += 0.5 * np.sin(2 * np.pi * pitch * time)
    return samples


def beeps_of(waveform: np.ndarray) -> list[tuple[float, float]]:
    """(seconds, Hz) of every beep in a waveform [samples] at 16 kHz."""
    block = READ // 500  # 2 ms
    blocks = waveform[: len(waveform) // block * block].reshape(-1, block)
    loud = np.sqrt(np.square(blocks, dtype=np.float64).mean(1)) > 0.1
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(int)))
    found = []
    for begin, end in zip(edges[::2] * block, edges[1::2] * block, strict=True):
        if end - begin >= BEEP * READ / 2:
            middle = waveform[begin + (end - begin) // 4 : end - (end - begin) // 4]
            spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 17))
            found.append((float(begin / READ), float(spectrum.argmax() * READ / (1 << 17))))
    return found


def clock_picture(seconds: float) -> np.ndarray:
    """I420 [72, 64] uint8 that shows a time."""
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    for bar in range(BARS):
        digit = round(seconds * 100) // 8**bar % 8
        picture[:HEIGHT, bar * WIDTH // BARS : (bar + 1) * WIDTH // BARS] = 20 + STEP * digit
    return picture


def time_of(picture: np.ndarray) -> float:
    """The time in seconds that a picture [H, W, 3] RGB shows."""
    width = WIDTH // BARS
    bars = [picture[8:40, bar * width + 5 : (bar + 1) * width - 5].mean() for bar in range(BARS)]
    digits = [round((16 + value * 219 / 255 - 20) / STEP) for value in bars]
    return sum(digit * 8**bar for bar, digit in enumerate(digits)) / 100


def _video_stream(container: Any, codecs: Codecs, film: Pictures) -> Any:
    stream = container.add_stream(codecs.video, rate=film.rate)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.bit_rate, stream.codec_context.gop_size = 600_000, 25
    if codecs.video != "mpeg4":  # the others take any time; AVI has one frame per tick
        stream.codec_context.time_base = Fraction(1, 1000)
    _mark(stream, film.default)
    return stream


def _audio_stream(container: Any, codecs: Codecs, sound: Sound) -> Any:
    options = {"strict": "-2"} if codecs.audio == "vorbis" else {}
    stream = container.add_stream(codecs.audio, rate=sound.rate or codecs.rate, layout=codecs.layout, options=options)
    if not codecs.audio.startswith(("pcm", "flac")):
        stream.bit_rate = 96_000
    _mark(stream, sound.default)
    return stream


def _mark(stream: Any, default: bool) -> None:
    stream.disposition = av.stream.Disposition.default if default else av.stream.Disposition(0)


def _encode_film(film: Pictures, stream: Any) -> list[Any]:
    packets, base = [], stream.codec_context.time_base or Fraction(1, film.rate)
    for time in film.times:
        picture = clock_picture(time + film.offset + film.ahead)
        if film.black:
            picture[:HEIGHT] = 16
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = round(time / base), base
        packets += stream.encode(frame)
    return _moved([*packets, *stream.encode()], film.offset, (0.0, 0.0))


def _encode_sound(sound: Sound, stream: Any) -> list[Any]:
    context, rate = stream.codec_context, stream.rate
    samples = beep(sound.beeps, sound.seconds, rate) if sound.beeps else np.zeros(round(sound.seconds * rate), "f4")
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    convert = av.AudioResampler(
        format=context.format.name, layout=context.layout.name, rate=rate, frame_size=context.frame_size or 1024
    )
    packets = []
    for part in [*convert.resample(frame), *convert.resample(None)]:
        packets += stream.encode(part)
    return _moved([*packets, *stream.encode()], sound.offset, sound.hole)


def _moved(packets: list[Any], offset: float, hole: tuple[float, float]) -> list[Any]:
    kept = []
    for packet in packets:
        if hole[0] <= packet.pts * packet.time_base < hole[1]:
            continue
        ticks = round(Fraction(offset).limit_denominator(1000) / packet.time_base)
        packet.pts += ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        kept.append(packet)
    return kept
