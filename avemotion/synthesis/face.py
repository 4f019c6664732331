"""The moving parts of a face, drawn from facial action units: eyes, brows, nose, mouth and their folds."""

from dataclasses import dataclass

import numpy as np

from avemotion.synthesis import drawing
from avemotion.synthesis.drawing import between, curve, ellipse, fill, mix, shade, stroke
from avemotion.synthesis.emotions import Expression
from avemotion.synthesis.head import Looks

_EYE_X = np.linspace(-1, 1, 13)
_EYE_ARCH = 1 - np.abs(_EYE_X) ** 2.2
_BROW = np.linspace(0, 1, 9)
_MOUTH_X = np.linspace(-1, 1, 17)
_MOUTH_ARCH = 1 - _MOUTH_X**2
_CUPID_BOW = 0.020 * np.exp(-((_MOUTH_X / 0.16) ** 2)) - 0.010 * np.exp(-(((np.abs(_MOUTH_X) - 0.3) / 0.18) ** 2))


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The face in one frame, besides its action units."""

    mouth_opening: float  # 0..1, from the loudness of the sound
    blink: float  # 0 open .. 1 closed
    turn: float  # of the head to the side, about -0.3..0.3; moves the features over the head
    gaze: tuple[float, float]  # of the eyes to the side and down, -1..1


def draw_face(picture: np.ndarray, pose: np.ndarray, looks: Looks, units: np.ndarray, moment: Moment) -> None:
    """Draw onto the head in picture, in place.

    Args:
        picture: [rows, columns, 3] uint8.
        pose: [2, 3] head units -> pixels.
        units: action units [11], 0..1, in the order of Expression's fields.
    """
    face = _expression(units + looks.rest)
    # nearer features move further when the head turns
    shifted = pose.copy()
    shifted[:, 2] += pose[:, :2] @ (0.16 * moment.turn, 0.0)
    _draw_folds(picture, shifted, looks, face)
    _draw_nose(picture, shifted, looks, face)
    for side in (-1, 1):
        _draw_eye(picture, shifted, looks, face, side, moment)
        _draw_brow(picture, shifted, looks, face, side)
    _draw_mouth(picture, shifted, looks, face, moment.mouth_opening)


def _expression(units: np.ndarray) -> Expression:
    return Expression(**dict(zip(Expression.__dataclass_fields__, np.clip(units, 0, 1.1).tolist(), strict=True)))


def _draw_eye(
    picture: np.ndarray,
    pose: np.ndarray,
    looks: Looks,
    face: Expression,
    side: int,
    moment: Moment,
) -> None:
    opening = 1 + 0.65 * face.upper_lid_raiser - 0.42 * face.lid_tightener
    opening -= 0.30 * face.cheek_raiser + 0.18 * face.nose_wrinkler
    opening = float(np.clip(opening, 0.25, 1.7)) * (1 - 0.97 * moment.blink)
    x, y, width = side * looks.eye_gap, looks.eye_y, looks.eye_width
    upper_height = 0.090 * opening
    lower_height = 0.058 * opening * (1 - 0.35 * face.cheek_raiser - 0.2 * face.lid_tightener)
    lid_x = x + width * _EYE_X
    upper, lower = y - upper_height * _EYE_ARCH, y + lower_height * _EYE_ARCH
    fill(picture, pose, between(lid_x, upper, lower), (232, 236, 238))
    iris_x, iris_y = x + 0.05 * moment.gaze[0], y - 0.01 + 0.035 * moment.gaze[1]
    for radius, colour in ((0.082, looks.iris), (0.042, (16, 14, 12))):
        disc = ellipse((iris_x, iris_y), (radius, radius))
        arch = 1 - np.minimum(np.abs((disc[:, 0] - x) / width), 1) ** 2.2
        disc[:, 1] = np.clip(disc[:, 1], y - upper_height * arch, y + lower_height * arch)
        fill(picture, pose, disc, colour)
    if opening > 0.5:
        fill(picture, pose, ellipse((iris_x + 0.025, iris_y - 0.025), (0.014, 0.014)), (245, 245, 245))
    stroke(picture, pose, curve(lid_x, upper), (34, 30, 32), 0.040 if looks.female else 0.030)
    stroke(picture, pose, curve(lid_x, lower), shade(looks.skin, 0.62), 0.016)
    crease = upper - 0.045 - 0.02 * face.upper_lid_raiser + 0.05 * face.brow_lowerer
    stroke(picture, pose, curve(lid_x, np.minimum(crease, upper))[2:-2], shade(looks.skin, 0.66), 0.014)


def _draw_brow(picture: np.ndarray, pose: np.ndarray, looks: Looks, face: Expression, side: int) -> None:
    inner = looks.brow_y + looks.brow_slant - 0.17 * face.inner_brow_raiser + 0.15 * face.brow_lowerer
    inner += 0.05 * face.nose_wrinkler
    middle = looks.brow_y - 0.07 - 0.07 * (face.inner_brow_raiser + face.outer_brow_raiser) + 0.11 * face.brow_lowerer
    outer = looks.brow_y + 0.05 - looks.brow_slant - 0.17 * face.outer_brow_raiser + 0.03 * face.brow_lowerer
    start = looks.eye_gap - 0.20 - 0.05 * face.brow_lowerer
    end = looks.eye_gap + 0.23
    # quadratic Bezier whose middle control point lies above both ends; tapered to the outside
    x = side * ((1 - _BROW) * start + _BROW * end)
    y = (1 - _BROW) ** 2 * inner + 2 * _BROW * (1 - _BROW) * middle + _BROW**2 * outer
    half = looks.brow_thickness * (0.55 - 0.35 * _BROW**2) * np.minimum(1, 0.6 + 3 * _BROW)
    fill(picture, pose, between(x, y - half, y + half), looks.brow)


def _draw_nose(picture: np.ndarray, pose: np.ndarray, looks: Looks, face: Expression) -> None:
    width, lift = looks.nose_width * (1 + 0.12 * face.nose_wrinkler), -0.03 * face.nose_wrinkler
    dark = shade(looks.skin, 0.60)
    for side in (-1, 1):
        wing = [(side * width * 0.85, 0.20), (side * width * 1.05, 0.29), (side * width * 0.7, 0.33)]
        stroke(picture, pose, np.add(wing, (0, lift)), shade(looks.skin, 0.74), 0.022)
        fill(picture, pose, ellipse((side * width * 0.48, 0.325 + lift), (0.042, 0.020)), dark)
    stroke(picture, pose, [(-0.3 * width, 0.355 + lift), (0.3 * width, 0.355 + lift)], shade(looks.skin, 0.78), 0.018)
    bridge = [(-0.07, -0.2), (-0.085, -0.02), (-0.09, 0.12)]
    stroke(picture, pose, np.multiply(bridge, (np.sign(looks.light) or 1, 1)), shade(looks.skin, 0.86), 0.025)


def _draw_folds(picture: np.ndarray, pose: np.ndarray, looks: Looks, face: Expression) -> None:
    """Draw wrinkles, deeper with stronger action units."""

    def fold(points: drawing.Points, depth: float, width: float = 0.022) -> None:
        if depth > 0.2:
            stroke(picture, pose, points, shade(looks.skin, 0.95 - 0.30 * min(depth, 1.0)), width)

    forehead = 0.6 * (face.inner_brow_raiser + face.outer_brow_raiser) - face.brow_lowerer
    for y in (-0.56, -0.64):
        fold([(-0.34, y + 0.02), (-0.12, y), (0.12, y), (0.34, y + 0.02)], forehead)
    cheek = max(face.lip_corner_puller, 0.9 * face.nose_wrinkler, 0.5 * face.lip_corner_depressor)
    for side in (-1, 1):
        fold([(side * 0.05, looks.brow_y - 0.06), (side * 0.045, looks.brow_y + 0.12)], face.brow_lowerer, 0.026)
        start = looks.nose_width + 0.03
        bend = 0.10 * cheek
        smile = [(start, 0.28), (start + 0.13 + bend, 0.42), (start + 0.17 + bend, 0.55)]
        fold(np.multiply(smile, (side, 1)), cheek, 0.026)
        eye_x, eye_y = side * looks.eye_gap, looks.eye_y
        bag = [(eye_x - 0.16, eye_y + 0.15), (eye_x, eye_y + 0.19), (eye_x + 0.16, eye_y + 0.15)]
        fold(bag, max(face.cheek_raiser, 0.6 * face.lid_tightener))
        corner = eye_x + side * (looks.eye_width + 0.04)
        for rise in (-0.05, 0.0, 0.05):
            fold([(corner, eye_y + 0.4 * rise), (corner + side * 0.08, eye_y + rise)], face.cheek_raiser, 0.014)
    for y in (-0.13, -0.06, 0.01):
        fold([(-0.09, y - 0.02), (0.0, y + 0.01), (0.09, y - 0.02)], face.nose_wrinkler)


def _draw_mouth(picture: np.ndarray, pose: np.ndarray, looks: Looks, face: Expression, opening: float) -> None:
    gap = 0.20 * min(1.4, 0.9 * opening + 0.75 * face.jaw_drop)
    width = looks.mouth_width * (
        1 + 0.36 * face.lip_corner_puller + 0.30 * face.lip_stretcher - 0.30 * face.jaw_drop - 0.10 * opening
    )
    middle = looks.mouth_y - 0.03 * face.nose_wrinkler
    corner = middle - 0.130 * face.lip_corner_puller + 0.110 * face.lip_corner_depressor + 0.02 * face.lip_stretcher
    corner += 0.35 * gap * (1 - face.lip_corner_puller)  # a lower jaw moves the corners down
    lift = 0.05 * face.nose_wrinkler  # of the upper lip; the teeth become visible
    # lips pressed together in anger, stretched thin in fear
    lip = looks.lip_thickness * (1 - 0.40 * face.lid_tightener - 0.25 * face.lip_stretcher)
    x = width * _MOUTH_X
    line = corner + (middle - corner) * _MOUTH_ARCH
    upper_inner = line - (0.30 * gap + lift) * _MOUTH_ARCH
    lower_inner = line + (0.85 * gap + 0.2 * lift) * _MOUTH_ARCH
    upper_outer = line - (lip + 0.30 * gap + lift) * _MOUTH_ARCH + _CUPID_BOW
    lower_outer = line + (1.3 * lip + 0.85 * gap) * _MOUTH_ARCH
    fill(picture, pose, between(x, line, lower_outer), looks.lip)
    fill(picture, pose, between(x, upper_outer, line), shade(looks.lip, 0.86))
    if gap + lift > 0.015:
        inside = 0.93 * x
        fill(picture, pose, between(inside, upper_inner, lower_inner), (38, 28, 62))
        tongue = np.maximum(lower_inner - 0.4 * gap * _MOUTH_ARCH, upper_inner)
        fill(picture, pose, between(0.7 * x, tongue, lower_inner), (84, 76, 150))
        bared = max(face.lip_corner_puller, face.lip_stretcher, face.nose_wrinkler)
        teeth = min(0.055, 0.7 * (gap + lift)) * (0.45 + 0.55 * bared) * _MOUTH_ARCH
        fill(
            picture, pose, between(0.84 * x, upper_inner, np.minimum(upper_inner + teeth, lower_inner)), (222, 230, 234)
        )
    else:
        stroke(picture, pose, curve(x, line), shade(looks.lip, 0.52), 0.024)
    dark = mix(shade(looks.skin, 0.55), shade(looks.lip, 0.55), 0.5)
    for side, end in ((-1, 0), (1, -1)):
        tip = line[end] - 0.05 * face.lip_corner_puller + 0.05 * face.lip_corner_depressor
        stroke(picture, pose, [(x[end] - 0.02 * side, line[end]), (x[end] + 0.025 * side, tip)], dark, 0.026)
