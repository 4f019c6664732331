"""Faces of a film as the frames cache has them: people, smoothing, alignment, other detectors, counts."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_faces import detect_as, portrait, write_yunet
from recordings import write_manifest, write_params

from avemotion.faces import crops, detection
from avemotion.faces.face_box import Face
from avemotion.formats import clips
from avemotion.media.pictures import read_frames
from avemotion.synthesis.media_files import write_mp4
from stages import features


def film(file: Path, pictures) -> Path:
    """10 pictures a second."""
    write_mp4(file, (cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420) for picture in pictures), Fraction(10))
    return file


def extractor(changes):
    return features.configure(write_params(changes), "frames", "emotion").extractor


def test_of_two_people_the_larger_one_or_the_one_in_the_given_half(tmp_path):
    large, small = portrait(1), cv2.resize(portrait(2), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    wide = np.full((360, 960, 3), large[0, 0], np.uint8)
    wide[:, :480], wide[90:270, 600:840] = large, small
    write_manifest({"a": None}, {"a": film(tmp_path / "a.mp4", [wide] * 10)})
    (clip,) = clips.read("emotion")
    one = extractor({"features.frames.size": 64})
    halves = {"whole": None, "left": (0.0, 0.0, 0.5, 1.0), "right": (0.5, 0.0, 1.0, 1.0)}
    made = {
        name: one.extract(replace(clip, video_crop=crop), tmp_path)[0]["clean"]["frames"][0].astype(float)
        for name, crop in halves.items()
    }
    assert np.abs(made["whole"] - made["left"]).mean() < 4
    alone = film(tmp_path / "b.mp4", [cv2.resize(wide[90:270, 600:840], (480, 360))] * 10)
    expected = one.extract(replace(clip, video=alone.name), tmp_path)[0]["clean"]["frames"][0].astype(float)
    assert np.abs(made["right"] - expected).mean() < 0.4 * np.abs(made["left"] - expected).mean()


def moving(monkeypatch):
    """A detector of faces at the mark of each picture, which jumps in the dimmest one; 4 pictures, at 4 places."""
    faces = {40: Face(left=10, top=10, width=20, height=20), 80: Face(left=12, top=10, width=20, height=20)}
    faces |= {120: Face(left=70, top=60, width=20, height=20), 160: Face(left=14, top=10, width=20, height=20)}

    def find(picture):
        return [faces[min(faces, key=lambda level: abs(level - picture.mean()))]]

    detect_as(monkeypatch, find)
    ramp = np.add.outer(np.arange(100), np.arange(120)) / 10 - 11
    return [np.repeat((level + ramp)[..., None], 3, 2).astype(np.uint8) for level in faces for _ in range(5)]


def test_smoothing_takes_out_a_jump(tmp_path, monkeypatch):
    write_manifest({"a": None}, {"a": film(tmp_path / "a.mp4", moving(monkeypatch))})
    (clip,) = clips.read("emotion")
    whole = read_frames(tmp_path / "a.mp4", 4)[0]
    for width, lefts in ((1, [10, 12, 70, 14]), (3, [10, 12, 14, 14])):
        settings = {"features.frames.boxes": "each", "features.frames.smooth": width, "features.frames.margin": 0.0}
        frames = extractor(settings).extract(clip, tmp_path)[0]["clean"]["frames"]
        for picture, left, frame in zip(whole, lefts, frames, strict=True):
            top = 60 if left == 70 else 10
            part = picture[top : top + 20, left : left + 20]
            np.testing.assert_array_equal(frame, cv2.resize(part, (32, 32), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("boxes", ["first", "each"])
def test_crops_are_aligned_where_both_eyes_are_known(tmp_path, monkeypatch, boxes):
    eyes = ((45.0, 60.0), (75.0, 50.0))
    full = Face(left=20, top=20, width=70, height=70, eyes=eyes)

    def find(picture):
        bright = picture.mean() > 100
        return [full if bright else Face(left=20, top=20, width=70, height=70, eyes=((50, 50), (55, 50)))]

    detect_as(monkeypatch, find)
    rng = np.random.default_rng(0)
    pattern = cv2.GaussianBlur(rng.integers(0, 100, (100, 120, 3)).astype(np.uint8), (0, 0), 3)
    pictures = [pattern + 90] * 10 + [pattern] * 10
    write_manifest({"a": None}, {"a": film(tmp_path / "a.mp4", pictures)})
    (clip,) = clips.read("emotion")
    views, counts = extractor({"features.frames.align": "eyes", "features.frames.boxes": boxes}).extract(clip, tmp_path)
    whole = read_frames(tmp_path / "a.mp4", 4)[0]
    turned = [crops.aligned(picture, eyes, 32, 0.1) for picture in whole]
    straight = [crops.crop(picture, full, 32, 0.1) for picture in whole]
    expected = turned if boxes == "first" else [*turned[:2], *straight[2:]]
    np.testing.assert_array_equal(views["clean"]["frames"], np.stack(expected))
    assert (counts["crops"], counts["crops_aligned"]) == (4, 4 if boxes == "first" else 2)


def test_another_detector_or_model_makes_another_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = {"features.frames.detector": "yunet", "features.frames.detector_model": "net.onnx"}
    write_yunet(tmp_path / "net.onnx")
    first = extractor(model)
    write_yunet(tmp_path / "net.onnx", size=(80.0, 80.0))
    assert len({repr(extractor({})), repr(first), repr(extractor(model))}) == 3
    assert first.facts()["face_detector"] == "YuNet through OpenCV"
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(ValueError, match=r"params\.yaml: features\.frames\.detector_model is net\.onnx, which"):
        extractor(model)


def test_the_index_counts_frames_and_clips_with_a_face(tmp_path, monkeypatch, capsys):
    from project_params import SERIAL

    from avemotion.extraction import extraction
    from avemotion.formats.feature_store import FeatureStore

    wall = np.tile(np.linspace(60, 200, 320, dtype=np.uint8)[None, :, None], (180, 1, 3))
    face = portrait(1, 180, 320)
    films = {"a": [face] * 20, "b": [face] * 10 + [wall] * 10, "c": [wall] * 20}
    paths = {name: film(tmp_path / f"{name}.mp4", pictures) for name, pictures in films.items()}
    write_manifest(dict.fromkeys(films), paths)
    for boxes, counts in (
        ("first", {"clips": 3, "clips_with_face": 2}),
        ("each", {"clips": 3, "clips_with_face": 2, "frames": 12, "frames_with_face": 6}),
    ):
        one = extractor({"features.frames.boxes": boxes})
        places = extraction.Places(root=tmp_path, out=tmp_path / boxes / "emotion", work=tmp_path / "work")
        extraction.run(one, clips.read("emotion"), places, SERIAL, 0.0)
        index = FeatureStore(places.out).facts["counts"]
        assert {name: index[name] for name in counts} == counts
    printed = capsys.readouterr().out
    assert "clips_with_face 2 of 3" in printed and "frames_with_face 6 of 12" in printed


def test_a_trained_model_finds_its_detector_from_another_folder(tmp_path, monkeypatch):
    """And refuses another file under that name."""
    from avemotion.extraction import extraction
    from avemotion.prediction import feature_settings

    monkeypatch.chdir(tmp_path)
    write_yunet(tmp_path / "net.onnx")
    write_manifest({"a": None}, {"a": film(tmp_path / "a.mp4", [portrait(1)] * 10)})
    (clip,) = clips.read("emotion")
    trained = extractor({"features.frames.detector": "yunet", "features.frames.detector_model": "net.onnx"})
    rebuilt = feature_settings.extractor("frames", extraction.settings(trained), "cpu")
    before = trained.extract(clip, tmp_path)[0]["clean"]["frames"]
    write_yunet(tmp_path / "other/net.onnx", size=(80.0, 80.0))
    monkeypatch.chdir(tmp_path / "other")
    np.testing.assert_array_equal(rebuilt.extract(clip, tmp_path)[0]["clean"]["frames"], before)
    detection.detector.cache_clear()
    with pytest.raises(ValueError, match=r"net\.onnx is another file than at training"):
        trained.extract(clip, tmp_path)
