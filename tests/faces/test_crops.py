"""Aligned crops and smoothed faces, by arithmetic."""

import cv2
import numpy as np
import pytest
from drawn_faces import portrait

from avemotion.faces import crops
from avemotion.faces.face_box import Face
from avemotion.faces.smoothing import smoothed


def dots(height, width, places, radius):
    picture = np.zeros((height, width, 3), np.uint8)
    for channel, (x, y) in enumerate(places):
        rows, columns = np.mgrid[:height, :width] + 0.5
        picture[..., channel][np.hypot(columns - x, rows - y) < radius] = 255
    return picture


def centre(plane):
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]] + 0.5
    weight = plane.astype(float)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("margin", [0.0, 0.4])
@pytest.mark.parametrize(
    ("eyes", "radius"),
    [(((100, 120), (140, 120)), 4), (((60, 150), (210, 90)), 12), (((110.5, 100), (122, 104)), 2)],
    ids=["level", "tilted and large", "small"],
)
def test_eyes_come_to_their_places(eyes, radius, margin):
    size = 64
    made = crops.aligned(dots(240, 320, eyes, radius), eyes, size, margin)
    across, above = crops.EYE_LEFT - 0.5, crops.EYE_TOP - 0.5
    for channel, side in enumerate((across, -across)):
        expected = size * (0.5 + np.array([side, above]) / (1 + margin))
        np.testing.assert_allclose(centre(made[..., channel]), expected, atol=0.6)


def test_a_turned_picture_gives_the_same_crop():
    picture, eyes = portrait(1), ((201.6, 171.3), (274.3, 170.7))
    turn = cv2.getRotationMatrix2D((240, 180), 20, 1)
    turned = cv2.warpAffine(picture, turn, (480, 360), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = tuple(tuple(turn @ [x, y, 1]) for x, y in eyes)
    before, after = (crops.aligned(of, at, 48, 0.2).astype(float) for of, at in ((picture, eyes), (turned, moved)))
    unaligned = crops.aligned(turned, eyes, 48, 0.2)
    assert np.abs(before - after).mean() < 0.15 * np.abs(before - unaligned).mean()


def test_the_central_square_without_a_face():
    picture = np.arange(6 * 10 * 3, dtype=np.uint8).reshape(6, 10, 3)
    np.testing.assert_array_equal(crops.crop(picture, None, 6, 0.1), picture[:, 2:8])


def face(x, side=10.0, eyes=None):
    return Face(left=x - side / 2, top=0, width=side, height=side, eyes=eyes)


def test_a_jump_of_one_frame_is_taken_out():
    faces = [face(x) for x in (50, 52, 300, 54, 56)]
    assert [of.left + 5 for of in smoothed(faces, 3)] == [50, 52, 54, 56, 56]
    assert smoothed(faces, 1) == faces
    # Five frames fit about the third alone; the window of its neighbours is three wide, that of the ends one.
    assert [of.left + 5 for of in smoothed(faces, 5)] == [50, 52, 54, 56, 56]
    assert smoothed([face(40)] * 4, 5) == [face(40)] * 4


def test_sizes_and_eyes_are_smoothed_too():
    faces = [face(0, 10, ((1, 2), (3, 4))), face(0, 90, None), face(0, 12, ((3, 6), (5, 8)))]
    middle = smoothed(faces, 3)[1]
    assert (middle.width, middle.eyes) == (12, ((2, 4), (4, 6)))
    assert smoothed([face(0)] * 3, 3)[1].eyes is None
