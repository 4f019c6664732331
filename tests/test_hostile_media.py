"""Damaged and odd recordings: what probing passes, every later reader reads; the rest has a reason. No other way."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from corpus_trees import film, video, wav

from stages.lib.data.probe import probe
from stages.lib.media.audio import read_waveform
from stages.lib.media.video import read_frames

SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)


def use(file: Path, kind: str) -> str | None:
    """The fault that probing finds; without one, the file is read as extraction does."""
    media = probe((file, kind))
    if media.fault is not None:
        assert media.fault and media.fault.isprintable() and str(file.parent) not in media.fault
        return media.fault
    assert media.duration > 0
    if kind == "audio":
        waveform = read_waveform(file)
        assert waveform.size and np.isfinite(waveform).all() and abs(len(waveform) / 16000 - media.duration) < 0.05
    else:
        frames, times = read_frames(file, 4)
        assert frames.shape[0] == 4 and frames.size and np.isfinite(times).all()
    return None


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> dict[str, bytes]:
    """One good file of each kind."""
    folder = tmp_path_factory.mktemp("valid")
    soundfile.write(folder / "a.flac", SOUND, 16000)
    files = [
        wav(folder / "a.wav", 1, seconds=0.5),
        folder / "a.flac",
        film(folder / "a.mp4", 2),
        film(folder / "a.avi", 3),
    ]
    files += [film(folder / "a.flv", 4)]
    return {file.suffix: file.read_bytes() for file in files}


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp4", ".avi", ".flv"])
def test_cut_off_files(tmp_path, valid, suffix):
    file = tmp_path / f"a{suffix}"
    kinds = ("audio",) if suffix in (".wav", ".flac") else ("audio", "video")
    content = valid[suffix]
    faults = {}
    for tenth in range(11):
        file.write_bytes(content[: len(content) * tenth // 10])
        faults[tenth] = [use(file, kind) for kind in kinds]
    assert faults[0] == ["empty file"] * len(kinds) and faults[10] == [None] * len(kinds)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp4", ".avi", ".flv"])
def test_random_and_foreign_bytes(tmp_path, valid, suffix):
    rng = np.random.default_rng(7)
    file = tmp_path / f"a{suffix}"
    for length in (1, 100, 5000):
        file.write_bytes(rng.bytes(length))
        assert use(file, "audio") and use(file, "video")
    for content in valid.values():  # the wrong extension
        file.write_bytes(content)
        use(file, "audio")
        use(file, "video")
    for _ in range(20):  # a few flipped bytes
        content = bytearray(valid[suffix])
        for place in rng.integers(0, len(content), 8):
            content[place] ^= int(rng.integers(1, 256))
        file.write_bytes(content)
        use(file, "audio")
        if suffix not in (".wav", ".flac"):
            use(file, "video")


@pytest.mark.parametrize(
    ("samples", "rate", "fault"),
    [
        (SOUND[:0], 16000, "no samples in it"),
        (SOUND[:1], 16000, None),
        (np.tile(SOUND[:, None], 8), 16000, None),
        (SOUND, 192000, None),
        (SOUND, 8000, None),
        (np.zeros(800), 16000, "no sound in it, all samples are zero"),
        (np.where(np.arange(8000) == 9, np.nan, SOUND), 16000, "NaN or infinite samples in it"),
        (np.where(np.arange(8000) == 9, np.inf, SOUND), 16000, "NaN or infinite samples in it"),
        (SOUND * 1e30, 16000, "samples of up to 5e+29, where full scale is 1"),
        (SOUND * 32768, 16000, None),
    ],
    ids=["empty", "one sample", "8 channels", "192 kHz", "8 kHz", "silent", "NaN", "inf", "loud", "scaled as integers"],
)
def test_odd_sounds(tmp_path, samples, rate, fault):
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    assert use(tmp_path / "a.wav", "audio") == fault


def test_pictures_that_do_not_decode(tmp_path):
    file = video(tmp_path / "a.avi", 1)
    content = file.read_bytes()
    pictures = content.split(b"\xff\xd8")[1:]  # each begins as a JPEG does
    for picture in pictures:
        content = content.replace(b"\xff\xd8" + picture[:200], bytes(len(picture[:200]) + 2))
    file.write_bytes(content)
    assert use(file, "video") == "cannot be read as video: its first picture does not decode"


def test_odd_pictures(tmp_path):
    assert use(video(tmp_path / "one.mp4", 1, frames=1), "video") is None
    with av.open(str(tmp_path / "odd.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 33, 17, "yuvj420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((17, 33, 3), 90, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    assert use(tmp_path / "odd.avi", "video") is None
    assert use(wav(tmp_path / "a.wav", 1), "video") == "no picture in it"
    with av.open(str(tmp_path / "none.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode())
    assert use(tmp_path / "none.mp4", "video") is not None


NAMES = ("a b.wav", 'it\'s "so".wav', "new\nline.wav", "größe-音.wav", "a:b.mp4", "%d.mp4", "-i.mp4", "http:.mp4")


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(tmp_path, valid, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path(name)
    file.write_bytes(valid[file.suffix])
    assert use(file, "audio") is None


def test_files_that_cannot_be_opened(tmp_path):
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    assert use(loop, "audio") == "cannot be opened: Too many levels of symbolic links"
    (tmp_path / "folder.wav").mkdir()
    assert use(tmp_path / "folder.wav", "audio") == "cannot be opened: Is a directory"
    closed = wav(tmp_path / "closed.wav", 1)
    closed.chmod(0)
    if not os.access(closed, os.R_OK):  # the administrator reads everything
        assert use(closed, "audio") == "cannot be opened: Permission denied"
