"""Small corpora with tiny but real media, laid out as the published ones are."""

from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import soundfile

from avemotion.parsing.clip import Clip, Reject

ACTORS = (1, 2, 17, 21)
LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
RATERS = (
    "C-E2:\tNeutral;\t()\nC-F1:\tAnger;\t()\n"
    "A-E3:\tval 3; act 2; dom  ;\t(caf\xe9)\nA-M1:\tval 2; act 2; dom  2;\t()\n\n"
)


def wav(file: Path, key: int, rate: int = 16000, seconds: float = 0.05, channels: int = 1) -> Path:
    """Noise that is the same for the same key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(key).uniform(-0.5, 0.5, round(rate * seconds))
    soundfile.write(file, np.repeat(samples[:, None], channels, axis=1), rate, subtype="PCM_16")
    return file


def video(file: Path, shade: int, frames: int = 5, fps: int = 10) -> Path:
    """A grey picture of 32x32."""
    file.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter.fourcc(*("mp4v" if file.suffix == ".mp4" else "MJPG"))
    writer = cv2.VideoWriter(str(file), code, fps, (32, 32))
    assert writer.isOpened()
    for _ in range(frames):
        writer.write(np.full((32, 32, 3), shade % 256, np.uint8))
    writer.release()
    return file


def ravdess_ids(actors: Iterable[int], emotions: Iterable[int] = range(1, 9), repetitions: int = 1) -> list[str]:
    return [f"01-{e:02}-01-01-{r:02}-{a:02}" for a in actors for e in emotions for r in range(1, repetitions + 1)]


def ravdess(root: Path, ids: Iterable[str]) -> Path:
    """Actor_XX/02-*.mp4 and 03-*.wav of each id."""
    template = video(root.parent / "template.mp4", 90).read_bytes()
    for clip_id in ids:
        folder = root / f"Actor_{clip_id[-2:]}"
        wav(folder / f"03-{clip_id}.wav", int(clip_id.replace("-", "")))
        # A trailing free box makes the bytes differ without encoding each picture.
        (folder / f"02-{clip_id}.mp4").write_bytes(template + b"\0\0\0\x19free" + clip_id.encode())
    return root


def turn_line(turn_id: str, start: float, end: float, emotion: str = "neu", vad: tuple = (2.5, 2.5, 2.5)) -> str:
    return f"[{start:.4f} - {end:.4f}]\t{turn_id}\t{emotion}\t[{vad[0]:.4f}, {vad[1]:.4f}, {vad[2]:.4f}]\n"


def dialogue(root: Path, name: str, lines: Iterable[str], transcript: str = "", media: bool = True) -> Path:
    """Ratings as given (rater lines after each turn), an avi of 5 s and a wav for each turn. Returns the session."""
    session = root / f"Session{int(name[3:5])}"
    ratings = session / "dialog/EmoEvaluation" / f"{name}.txt"
    ratings.parent.mkdir(parents=True, exist_ok=True)
    ratings.write_bytes((HEADER + "".join(line + RATERS for line in lines)).encode("latin-1"))
    (session / "dialog/transcriptions").mkdir(exist_ok=True)
    (session / "dialog/transcriptions" / f"{name}.txt").write_bytes(transcript.encode("latin-1"))
    if media:
        key = sum(ord(letter) * 31**i for i, letter in enumerate(name))
        video(session / "dialog/avi/DivX" / f"{name}.avi", key, frames=25, fps=5)
        for i, line in enumerate(lines):
            turn_id = line.split("\t")[1]
            wav(session / "sentences/wav" / name / f"{turn_id}.wav", key + i)
    return session


def iemocap(root: Path, sessions: Iterable[int] = (1, 2, 3), emotions: tuple = ("neu", "ang", "hap", "sad")) -> Path:
    """One dialogue a session, turns of both speakers, the second speaker's listed after the first's."""
    for session in sessions:
        name = f"Ses{session:02}F_impro01"
        lines = [
            turn_line(f"{name}_{letter}{i:03}", i + shift, i + shift + 0.4, emotion, (2 + i / 2, 3, 3))
            for letter, shift in (("F", 0.5), ("M", 0.0))
            for i, emotion in enumerate(emotions)
        ]
        dialogue(root, name, lines)
    return root


def film(file: Path, key: int, seconds: float = 0.5, sound: bool = True) -> Path:
    """A picture of 32x32 at 10 a second and, unless left out, noise at 16 kHz, in one file (mp4, flv, avi)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(key)
    with av.open(str(file), "w") as container:
        pictures = container.add_stream("flv" if file.suffix == ".flv" else "mpeg4", rate=10)
        pictures.width = pictures.height = 32
        pictures.pix_fmt = "yuv420p"
        heard = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for _ in range(round(seconds * 10)):
            shade = np.full((32, 32, 3), key % 256, np.uint8)
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(pictures.encode())
        if heard:
            samples = rng.uniform(-0.5, 0.5, (1, round(seconds * 16000))).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(heard.encode(frame))
            container.mux(heard.encode())
    return file


def touch(root: Path, *names: str) -> None:
    """Empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def by_id(clips: list[Clip]) -> dict[str, Clip]:
    """Clips by their ids, which must differ."""
    assert len({clip.id for clip in clips}) == len(clips)
    assert [clip.id for clip in clips] == sorted(clip.id for clip in clips)
    return {clip.id: clip for clip in clips}


def reasons(rejects: list[Reject]) -> dict[str, str]:
    """Path -> reason; a path is there once."""
    assert len({reject.path for reject in rejects}) == len(rejects)
    return {reject.path: reject.reason for reject in rejects}
