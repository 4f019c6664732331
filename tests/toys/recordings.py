"""A small manifest with recordings for the tests of feature extraction; the caller is in the project folder."""

import hashlib
from pathlib import Path

import numpy as np
import soundfile
import yaml

from avemotion.formats import clips

SECTIONS = {
    "seed": 0,
    "compute": {
        "device": "cpu",
        "threads": 1,
        "workers": 1,
        "loader_workers": 0,
        "engine": "local",
        "address": None,
        "tensorboard": False,
    },
    "corpora": {role: {"name": "ravdess", "root": "corpus"} for role in ("emotion", "affect")} | {"faces": None},
    "manifest": {"max_rejected": 0.0},
    "views": {"emotion": [20, 5], "affect": [], "seed": 0},
    "speech": {"model": "tiny", "revision": None, "unfreeze_layers": 2},
    "video": {"encoder": "face"},
    "vision": {"model": None, "revision": None, "unfreeze_layers": 0},
    "features": {
        "wavlm": {
            "seconds": None,
            "max_seconds": 60.0,
            "window_seconds": 20.0,
            "overlap_seconds": 2.0,
            "precision": "fp32",
            "dtype": "float32",
            "layers": [],
        },
        "mel": {
            "trim_db": None,
            "seconds": 3.0,
            "n_fft": 400,
            "window": 400,
            "hop": 160,
            "mels": 64,
            "low": 0.0,
            "high": 8000.0,
            "top_db": 80.0,
            "dtype": "float32",
        },
        "frames": {
            "count": 4,
            "size": 32,
            "face": True,
            "detector": "haar",
            "detector_model": "data/none",
            "boxes": "first",
            "smooth": 1,
            "align": "none",
            "stills": "whole",
            "margin": 0.1,
        },
        "vision": {"dtype": "float32"},
        "prosody": {"set": "free", "max_seconds": 60.0},
        "speaker": {"model": "statistics", "source": None, "max_seconds": 60.0},
    },
}


def write_params(changes: dict | None = None) -> Path:
    """params.yaml in the current folder; changes maps dotted keys to values."""
    sections = yaml.safe_load(yaml.safe_dump(SECTIONS))
    for key, value in (changes or {}).items():
        *above, last = key.split(".")
        section = sections
        for name in above:
            section = section[name]
        section[last] = value
    path = Path("params.yaml")
    path.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return path


def voice(seconds: float, f0: float, seed: int, rate: int = 16000) -> np.ndarray:
    """A gliding harmonic tone with a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.1 * np.sin(2 * np.pi * time))) / rate
    tones = sum(np.sin(k * phase) / k for k in range(1, 15))
    return 0.1 * tones * (1 + 0.5 * np.sin(6 * np.pi * time)) + 0.002 * rng.standard_normal(len(time))


def write_manifest(waveforms: dict[str, np.ndarray | None], films: dict[str, Path] | None = None) -> None:
    """corpus/<id>.wav and data/manifest/<role>/clips.csv of both roles; None = a clip without sound."""
    corpus, films = Path("corpus"), films or {}
    corpus.mkdir(exist_ok=True)
    rows = []
    for clip, waveform in waveforms.items():
        if waveform is not None:
            soundfile.write(corpus / f"{clip}.wav", waveform, 16000, subtype="FLOAT")
        digest = None if waveform is None else hashlib.blake2b(np.asarray(waveform).tobytes()).hexdigest()[:32]
        film = films.get(clip)
        rows.append(
            clips.ClipMedia(
                id=clip,
                audio=None if waveform is None else f"{clip}.wav",
                video=film and film.name,
                video_start=None,
                video_end=None,
                video_crop=None,
                duration=1.0 if waveform is None else len(waveform) / 16000,
                audio_hash=digest,
                video_hash=film and hashlib.blake2b(film.read_bytes()).hexdigest()[:32],
            )
        )
    for role in ("emotion", "affect"):
        clips.write(role, rows)


def film(file: Path, seed: int, frames: int = 15, fps: int = 15) -> Path:
    """Smooth pictures of 64x48 that change over time; without sound."""
    import cv2

    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), fps, (64, 48))
    assert writer.isOpened()
    start, change = rng.integers(40, 200, (2, 3, 4, 3))
    for i in range(frames):
        picture = (start + (change - start) * i / frames).astype(np.uint8)
        writer.write(cv2.resize(picture, (64, 48), interpolation=cv2.INTER_LINEAR))
    writer.release()
    return file


def portrait_film(path: Path, shift: int = 0) -> Path:
    """An actor's film of 2 s without sound: 20 pictures of 180 x 320, the drawn face moved sideways."""
    from fractions import Fraction

    import cv2

    from avemotion.synthesis import camera, head
    from avemotion.synthesis.media_files import write_mp4

    rng = np.random.default_rng(4)
    motion = camera.draw_motion(20, 10, rng, arousal=0.0)
    person = camera.Portrait(head.draw_looks(rng, female=True), 180, 320, rng)
    pictures = [np.roll(person.picture(np.zeros(11), motion, i, 0.1), shift, axis=1) for i in range(20)]
    write_mp4(path, (cv2.cvtColor(p, cv2.COLOR_BGR2YUV_I420) for p in pictures), Fraction(10))
    return path


def join(picture: Path, sound: Path, file: Path) -> Path:
    """A film and a recording in one file (.mov), both as they are, not coded anew."""
    import av

    with av.open(str(file), "w") as made, av.open(str(picture)) as seen, av.open(str(sound)) as heard:
        parts = [(part, made.add_stream_from_template(part.streams[0])) for part in (seen, heard)]
        for part, stream in parts:
            for packet in part.demux(part.streams[0]):
                if packet.dts is not None:  # the last one is empty
                    packet.stream = stream
                    made.mux(packet)
    return file


def extract(kind, waveforms, changes=None, films=None, role="emotion"):
    """(extractor, clip id -> (views, counts)) of a manifest with these recordings in the current folder."""
    from avemotion.params import features

    write_manifest(waveforms, films)
    extractor = features.configure(write_params(changes), kind, role).extractor
    return extractor, {clip.id: extractor.extract(clip, Path("corpus")) for clip in clips.read(role)}
