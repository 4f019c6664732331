"""Writers of damaged and odd recordings, for benchmarks/robustness.py and the tests."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 16000  # Hz
IDENTITY = b"".join(value.to_bytes(4, "big") for value in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
QUARTER_TURN = b"".join(value.to_bytes(4, "big") for value in (0, 1 << 16, 0, 0xFFFF0000, 0, 0, 0, 0, 1 << 30))
NAMES = (
    *(
        "a b",
        'it\'s "so"',
        "new\nline",
        "größe-音",
        "semi;colon",
        "a:b",
        "%d",
        "-i",
        "http:",
        "#",
        "a,b",
        "$HOME",
        "é" * 100,
    ),
)
FORMATS = (".wav", ".flac", ".mp4", ".avi")


def sound(file: Path, key: int, seconds: float = 0.5) -> Path:
    """A tone in noise; every key gives another recording."""
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, _samples(key, seconds), RATE, subtype="PCM_16")
    return file


def film(
    file: Path,
    key: int,
    *,
    size: tuple[int, int] = (64, 48),
    frames: int = 10,
    step: int | None = 1,
    with_sound: bool = True,
) -> Path:
    """Noise pictures at 20 per second, with or without sound (PCM in .avi, AAC in .mp4).

    step: ticks from frame to frame; None = a variable frame rate.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(key)
    pictures = (rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) for _ in range(frames))
    write_film(file, pictures, size, step, _samples(key, 0.5) if with_sound else None)
    return file


def write_film(
    file: Path,
    pictures: Iterator[np.ndarray],
    size: tuple[int, int],
    step: int | None = 1,
    samples: np.ndarray | None = None,
) -> None:
    """Write pictures [H, W, 3] and samples [S] as one file."""
    with av.open(f"file:{file}", "w") as container:
        codec = "mjpeg" if file.suffix == ".avi" else "mpeg4"
        video = container.add_stream(codec, rate=20)
        video.width, video.height = size
        video.pix_fmt = "yuvj444p" if codec == "mjpeg" else "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 20)
        audio = None
        if samples is not None:
            audio = container.add_stream("pcm_s16le" if codec == "mjpeg" else "aac", rate=RATE, layout="mono")
        tick = 0
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 20)
            tick += step if step else 1 + i % 4
            container.mux(video.encode(frame))
        if not tick:
            container.start_encoding()  # writes a header without any frame
        container.mux(video.encode())
        if audio is not None:
            form = "s16" if codec == "mjpeg" else "fltp"
            values = (samples * 32767).astype(np.int16) if form == "s16" else samples.astype(np.float32)
            for start in range(0, len(values), 1024):
                block = av.AudioFrame.from_ndarray(values[None, start : start + 1024], format=form, layout="mono")
                block.sample_rate, block.pts = RATE, start
                container.mux(audio.encode(block))
            container.mux(audio.encode())


def make(file: Path, key: int) -> Path:
    """An undamaged file of the kind of its suffix."""
    return film(file, key) if file.suffix in (".mp4", ".avi") else sound(file, key)


def damaged(content: bytes, foreign: dict[str, bytes], seed: int) -> Iterator[tuple[str, bytes]]:
    """(damage, bytes) of one file: empty, cut off at every tenth, random, flipped bytes, content of another kind."""
    rng = np.random.default_rng(seed)
    yield "empty", b""
    for tenth in range(1, 10):
        yield "cut off", content[: len(content) * tenth // 10]
    for length in (1, 9, 100, 5000):
        yield "random bytes", rng.bytes(length)
    for _ in range(10):
        flipped = bytearray(content)
        for place in rng.integers(0, len(content), 8):
            flipped[place] ^= int(rng.integers(1, 256))
        yield "flipped bytes", bytes(flipped)
    for other in foreign.values():
        yield "wrong extension", other


def odd_sounds() -> dict[str, tuple[np.ndarray, int]]:
    """damage -> (samples [S] or [S, channels], Hz), for files of 32-bit floats."""
    noise = [_samples(key, 0.5) for key in range(1000, 1010)]
    for key, value in ((7, np.nan), (8, np.inf)):
        noise[key][9] = value
    return {
        "zero length": (noise[0][:0], RATE),
        "1 sample": (noise[1][:1], RATE),
        "192 kHz": (np.repeat(noise[2], 12), 192000),
        "8 kHz": (noise[3], 8000),
        "8 channels": (noise[4][:, None] * np.arange(1, 9) / 8, RATE),
        "silent": (np.zeros(RATE // 2), RATE),
        "NaN": (noise[7], RATE),
        "inf": (noise[8], RATE),
        "1e30": (noise[5] * 1e30, RATE),
        "scaled as integers": (noise[6] * 32768, RATE),
        "almost silent": (noise[9] * 1e-9, RATE),
    }


def odd_films(folder: Path) -> dict[str, Path]:
    """damage -> a film in folder."""
    films = {
        "no frames": film(folder / "none.mp4", 2000, frames=0, with_sound=False),
        "1 frame": film(folder / "one.mp4", 2001, frames=1, with_sound=False),
        "sound alone": sound(folder / "sound.wav", 2002).rename(folder / "sound.avi"),
        "variable frame rate": film(folder / "variable.mp4", 2003, step=None),
        "rotated": film(folder / "rotated.mp4", 2004),
        "odd size": film(folder / "odd.avi", 2005, size=(33, 17)),
        "2 pixels": film(folder / "tiny.avi", 2006, size=(2, 2)),
        "no face": film(folder / "noise.mp4", 2007),
        "one face": faces(folder / "face.mp4", 1),
        "two faces": faces(folder / "faces.mp4", 2),
        "damaged at the end": film(folder / "late.mp4", 2008, frames=200, with_sound=False),
    }
    rotated = films["rotated"].read_bytes()
    place = rotated.index(IDENTITY, rotated.index(b"tkhd"))
    films["rotated"].write_bytes(rotated[:place] + QUARTER_TURN + rotated[place + len(IDENTITY) :])
    late = bytearray(films["damaged at the end"].read_bytes())
    late[len(late) // 10 : len(late) * 9 // 10] = bytes(len(late) * 9 // 10 - len(late) // 10)
    films["damaged at the end"].write_bytes(late)
    films["a text"] = folder / "text.mp4"
    films["a text"].write_text("A text, which FFmpeg would show as a film of a terminal.\n" * 40)
    films["a picture"] = folder / "picture.avi"
    films["a picture"].write_bytes(_picture())
    return films


def faces(file: Path, count: int) -> Path:
    """A film of ten pictures with drawn heads side by side."""
    import cv2

    from avemotion.synthesis import camera, head

    rng = np.random.default_rng(4)
    motion = camera.draw_motion(10, 20, rng, arousal=0.0)
    people = [camera.Portrait(head.draw_looks(rng, female=bool(i)), 180, 240, rng) for i in range(count)]
    shown = (np.hstack([p.picture(np.zeros(11), motion, i, 0.1) for p in people]) for i in range(10))
    write_film(file, (cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in shown), (240 * count, 180))
    return file


def unopenable(folder: Path, suffix: str) -> dict[str, Path]:
    """damage -> a path in folder that cannot be opened (`no permission`: only if permissions apply to this user)."""
    folder.mkdir(parents=True, exist_ok=True)
    loop, lost, closed = (folder / f"{name}{suffix}" for name in ("loop", "lost", "closed"))
    loop.symlink_to(loop)
    lost.symlink_to(folder / "nowhere")
    (folder / f"folder{suffix}").mkdir()
    paths = {
        "symlink loop": loop,
        "dangling link": lost,
        "a folder": folder / f"folder{suffix}",
        "absent": folder / "no",
    }
    (make(closed, 3000) if suffix in FORMATS else closed).touch(0)
    closed.chmod(0)
    return paths | {"no permission": closed}


def _samples(key: int, seconds: float) -> np.ndarray:
    rng = np.random.default_rng(key)
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * rng.uniform(100, 300) * time) + rng.uniform(-0.1, 0.1, len(time))


def _picture() -> bytes:
    import cv2

    return cv2.imencode(".png", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
