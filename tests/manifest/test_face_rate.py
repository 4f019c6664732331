"""The rate of faces that `--check` prints: which clips it opens, what it counts, what it leaves out."""

import cv2
import numpy as np
import pytest
from drawn_faces import detect_as, portrait
from manifest_toys import run
from recordings import SECTIONS, portrait_film

from avemotion.faces import detection
from avemotion.manifest import face_rate
from avemotion.parsing.clip import Clip


def clip(name, speaker="s", video=None, **more):
    return Clip(id=name, speaker=speaker, gender=None, emotion="happy", video=video or f"{name}.mp4", **more)


def test_every_speaker_before_a_second_clip_of_any():
    given = [
        clip(f"{speaker}{i}", speaker) for speaker, count in (("a", 50), ("b", 2), ("c", 30)) for i in range(count)
    ]
    chosen = face_rate.evenly(given)
    assert len(chosen) == face_rate.CLIPS and len({of.id for of in chosen}) == face_rate.CLIPS
    assert [sorted(of.speaker for of in chosen[:k]) for k in (3, 6)] == [
        ["a", "b", "c"],
        ["a", "a", "b", "b", "c", "c"],
    ]
    assert [sum(of.speaker == s for of in chosen) for s in "abc"] == [19, 2, 19]
    assert face_rate.evenly(given[::-1]) == chosen
    assert len(face_rate.evenly(given[:7])) == 7


@pytest.fixture
def films(tmp_path):
    """A film of one drawn face, a still of it, a wide still of two, a wall, and text that is no film."""
    portrait_film(tmp_path / "one.mp4")
    face = cv2.cvtColor(portrait(1), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(tmp_path / "still.png"), face)
    cv2.imwrite(str(tmp_path / "two.png"), np.hstack([face, face]))
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((90, 90, 3), 128, np.uint8))
    (tmp_path / "text.mp4").write_text("no film")
    return tmp_path


def counted(root, *names):
    find = detection.detector("haar", "data/none", None)
    return face_rate.count("haar", find, root, [clip(str(i), video=name) for i, name in enumerate(names)])


def test_what_is_counted(films):
    text = counted(films, "one.mp4", "still.png", "two.png", "wall.png", "text.mp4", "gone.mp4")
    assert text == (
        "faces: haar finds one in the middle frame of 3 of 4 clips (75%); 1 with more than one, 2 not readable\n"
    )
    assert counted(films, "text.mp4") == "faces: haar finds one in the middle frame of 0 of 0 clips; 1 not readable\n"


def test_only_the_half_of_the_speaker_counts(films):
    wall = clip("x", video="one.mp4", video_crop=(0.0, 0.0, 0.25, 1.0))
    find = detection.detector("haar", "data/none", None)
    assert "0 of 1 clips (0%)" in face_rate.count("haar", find, films, [wall])


def test_it_ends_after_its_time(films, monkeypatch):
    monkeypatch.setattr(face_rate, "SECONDS", -1.0)
    assert counted(films, "one.mp4", "one.mp4") == "faces: haar finds one in the middle frame of 0 of 0 clips\n"


def frames(**changes):
    return {"features__frames": SECTIONS["features"]["frames"] | changes}


def test_the_check_prints_it_for_every_role_with_faces(project, monkeypatch, capsys):
    detect_as(monkeypatch, lambda picture: [picture.shape] if picture.mean() > 0 else [])
    run(monkeypatch, "--check", **frames())
    printed = capsys.readouterr().out
    assert printed.count("faces: haar finds one in the middle frame of ") == 2
    run(monkeypatch, "--check", **frames(face=False))
    assert "faces: haar" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="detector_model is data/none, which is no file; yunet takes"):
        run(monkeypatch, "--check", **frames(detector="yunet"))


def test_stills_that_are_taken_whole_are_not_looked_at(project, monkeypatch, capsys):
    for i in range(10):
        for emotion in ("happy", "sad"):
            file = project / f"data/stills/{emotion}/{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.full((9, 9), 20 * i, np.uint8))
    stills = {"corpora__faces": {"name": "images", "root": "data/stills"}}
    for how, lines in (("whole", 2), ("face", 3)):
        run(monkeypatch, "--check", **stills, **frames(stills=how))
        assert capsys.readouterr().out.count("faces: haar finds one") == lines
