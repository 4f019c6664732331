"""Damaged and odd recordings: what probing passes, every later reader reads; the rest has a reason. No other way."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_trees import film, video, wav

from avemotion.faces import detection
from avemotion.faces.face_box import square
from avemotion.manifest.probe import probe
from avemotion.media.pictures import read_frames
from avemotion.media.waveforms import read_waveform
from avemotion.system.media_error import MediaError
from benchmarks import hostile

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
        return None
    try:
        pictures, times = read_frames(file, 4)
    except MediaError as error:  # damage further on, where probing does not look: extraction lists the clip
        assert str(file.parent) not in error.reason
        return error.reason
    assert pictures.shape[0] == 4 and pictures.size and np.isfinite(times).all()
    return None


SUFFIXES = (*hostile.FORMATS, ".flv")


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> dict[str, bytes]:
    """One good file of each kind."""
    folder = tmp_path_factory.mktemp("valid")
    files = [hostile.make(folder / f"a{suffix}", i) for i, suffix in enumerate(hostile.FORMATS)]
    return {file.suffix: file.read_bytes() for file in [*files, film(folder / "a.flv", 4)]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files(tmp_path, valid, suffix):
    """Empty, cut off at every tenth, random bytes, flipped bytes, another kind's bytes."""
    file = tmp_path / f"a{suffix}"
    kinds = ("audio",) if suffix in (".wav", ".flac") else ("audio", "video")
    foreign = {other: content for other, content in valid.items() if other != suffix}
    for damage, content in hostile.damaged(valid[suffix], foreign, seed=7):
        file.write_bytes(content)
        faults = [use(file, kind) for kind in kinds]
        if damage in ("empty", "random bytes"):
            assert all(faults)
    file.write_bytes(valid[suffix])
    assert [use(file, kind) for kind in kinds] == [None] * len(kinds)


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
    found = {damage: use(file, "video") for damage, file in hostile.odd_films(tmp_path).items()}
    text = "cannot be read as video: Invalid data found when processing input"
    faults = {"no frames": "no picture in it", "sound alone": "no picture in it", "a text": text}
    late = "pictures decode for 1.35 s of 10.00 s only; repair or remove the file"  # 0.45 before, 0.9 after the damage
    faults |= {"a picture": "a picture or a text, not a recording", "damaged at the end": late}
    assert found == dict.fromkeys(found) | faults
    assert use(wav(tmp_path / "a.wav", 1), "video") == "no picture in it"


def test_a_turned_film_is_seen_upright_and_a_variable_rate_is_kept(tmp_path):
    films = hostile.odd_films(tmp_path)
    assert read_frames(films["rotated"], 2)[0].shape == (2, 64, 48, 3)  # stored as 48 x 64
    # Frames last 1, 2, 3, 4, 1, 2, 3, 4, 1, 1 twentieths: those on screen at the middles of ten parts.
    ticks = [1, 3, 3, 6, 6, 11, 13, 16, 16, 20]
    np.testing.assert_allclose(read_frames(films["variable frame rate"], 10)[1], np.array(ticks) / 20, atol=1e-6)


def test_turns_after_the_damage_of_a_film_have_no_picture_the_others_have(tmp_path):
    file = hostile.odd_films(tmp_path)["damaged at the end"]  # from half a second on
    assert read_frames(file, 2, 0.0, 0.4)[0].shape == (2, 48, 64, 3)
    with pytest.raises(MediaError) as raised:
        read_frames(file, 2, 4.0, 5.0)
    assert "no frame in 4 to 5 s" in raised.value.reason


def test_two_faces_give_one_of_them(tmp_path):
    hostile.faces(tmp_path / "two.mp4", 2)
    pictures, _ = read_frames(tmp_path / "two.mp4", 4)
    face = detection.largest(detection.detector("haar", "data/none", None)(pictures[0]))
    left, _, side = square(face, *pictures.shape[1:3], margin=0.1)
    assert side < 200 and (left + side < 260 or left > 220)  # within one half of 480 pixels


@pytest.mark.parametrize("suffix", [".wav", ".mp4"])
def test_odd_names(tmp_path, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for key, name in enumerate(hostile.NAMES):
        assert use(hostile.make(Path(f"{name}{suffix}"), key), "audio") is None


def test_files_that_cannot_be_opened(tmp_path):
    paths = hostile.unopenable(tmp_path, ".wav")
    if os.access(paths["no permission"], os.R_OK):  # the administrator reads everything
        del paths["no permission"]
    why = {"symlink loop": "Too many levels of symbolic links", "a folder": "Is a directory"}
    why |= {"no permission": "Permission denied"}
    for damage, path in paths.items():
        assert use(path, "audio") == f"cannot be opened: {why.get(damage, 'No such file or directory')}"
