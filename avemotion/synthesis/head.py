"""A person's looks, and the still parts of the head: hair, ears, neck, shaded skin."""

from dataclasses import dataclass

import cv2
import numpy as np

from avemotion.synthesis import drawing
from avemotion.synthesis.drawing import Colour, mirror, smooth

# Edges of the canvas in head units: enough for long hair above, below and at the sides.
LEFT, TOP, RIGHT, BOTTOM = -1.35, -1.5, 1.35, 1.75

_SKINS = [(176, 200, 236), (158, 186, 226), (140, 168, 212), (120, 150, 198), (98, 128, 180), (82, 108, 156)]
_HAIRS = [(30, 30, 34), (34, 44, 62), (40, 60, 92), (62, 104, 150), (84, 84, 92), (36, 40, 70)]
_IRISES = [(110, 80, 40), (70, 90, 50), (30, 55, 85), (40, 60, 70)]
_SHIRTS = [(120, 70, 50), (60, 60, 120), (70, 100, 60), (60, 60, 66), (130, 110, 70), (90, 50, 90)]
_WALLS = [(205, 205, 205), (215, 205, 190), (190, 205, 212), (200, 212, 200), (185, 185, 195)]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """All features in which persons differ. Lengths in head units."""

    female: bool
    skin: Colour
    hair: Colour
    brow: Colour
    lip: Colour
    iris: Colour
    shirt: Colour
    wall: Colour
    long_hair: bool
    stubble: bool
    width: float  # half width of the face at the eyes
    jaw: float  # width of the jaw as a share of the face's
    eye_gap: float  # from the middle to an eye
    eye_width: float
    eye_y: float
    brow_y: float
    brow_slant: float  # positive: the inner ends are lower
    brow_thickness: float
    nose_width: float
    mouth_width: float
    mouth_y: float
    lip_thickness: float
    light: float  # from the left (-) or right (+)
    rest: np.ndarray  # action units [11] of the face at rest


def draw_looks(rng: np.random.Generator, *, female: bool) -> Looks:
    """A random person."""
    skin = _SKINS[rng.integers(len(_SKINS))]
    hair = _HAIRS[rng.integers(len(_HAIRS))]
    return Looks(
        female=female,
        skin=skin,
        hair=hair,
        # darker than the skin for every hair colour, as eyebrows mostly are
        brow=drawing.mix(drawing.shade(skin, 0.42), drawing.shade(hair, 0.75), 0.6),
        lip=drawing.mix(drawing.shade(skin, 0.80), (95, 80, 185) if female else (105, 105, 170), 0.5),
        iris=_IRISES[rng.integers(len(_IRISES))],
        shirt=_SHIRTS[rng.integers(len(_SHIRTS))],
        wall=_WALLS[rng.integers(len(_WALLS))],
        long_hair=female and rng.random() < 0.75,
        stubble=not female and rng.random() < 0.3,
        width=(0.77 if female else 0.80) + rng.uniform(-0.04, 0.04),
        jaw=(0.70 if female else 0.80) + rng.uniform(-0.05, 0.05),
        eye_gap=0.36 + rng.uniform(-0.02, 0.02),
        eye_width=(0.185 if female else 0.175) + rng.uniform(-0.012, 0.012),
        eye_y=-0.12 + rng.uniform(-0.025, 0.025),
        brow_y=-0.37 + rng.uniform(-0.025, 0.025),
        brow_slant=rng.uniform(-0.018, 0.018),
        brow_thickness=(0.060 if female else 0.085) + rng.uniform(-0.010, 0.010),
        nose_width=(0.135 if female else 0.155) + rng.uniform(-0.015, 0.015),
        mouth_width=0.275 + rng.uniform(-0.025, 0.025),
        mouth_y=0.57 + rng.uniform(-0.025, 0.025),
        lip_thickness=(0.066 if female else 0.050) + rng.uniform(-0.008, 0.008),
        light=rng.uniform(-0.2, 0.2),
        rest=np.clip(rng.normal(0, 0.05, 11), 0, 0.12),
    )


@dataclass(frozen=True, kw_only=True)
class HeadLayer:
    """The still parts of a head, with a mask for copying them into a picture."""

    colour: np.ndarray  # [rows, columns, 3] uint8
    alpha: np.ndarray  # [rows, columns] uint8
    scale: float  # pixels per head unit


def paint_head(looks: Looks, scale: float) -> HeadLayer:
    """Paint the still parts of a head; scale: pixels per head unit."""
    pose = np.array([[scale, 0, -LEFT * scale], [0, scale, -TOP * scale]])
    size = (round((BOTTOM - TOP) * scale), round((RIGHT - LEFT) * scale))
    colour, alpha = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)

    def add(outline: drawing.Points, paint: Colour) -> None:
        drawing.fill(colour, pose, outline, paint)
        drawing.fill(alpha, pose, outline, 255)

    if looks.long_hair:
        add(
            smooth(mirror([(0.3, -1.34), (0.75, -1.22), (1.05, -0.6), (1.0, 0.3), (1.12, 1.05), (0.6, 1.2)])),
            looks.hair,
        )
    neck = 0.36 if looks.female else 0.46
    add(mirror([(0, 0.7), (neck, 0.7), (neck + 0.02, 1.3), (neck + 0.2, 1.7)]), drawing.shade(looks.skin, 0.74))
    for side in (-1, 1):
        add(drawing.ellipse((side * looks.width, -0.02), (0.1, 0.2)), drawing.shade(looks.skin, 0.86))
    outline = face_outline(looks)
    add(outline, looks.skin)
    mask = np.zeros(size, np.uint8)
    drawing.fill(mask, pose, outline, 255)
    _light(colour, mask, looks, scale)
    if looks.stubble:
        _grow_stubble(colour, mask, looks, pose)
    add(_hairline(looks), looks.hair)
    return HeadLayer(colour=colour, alpha=alpha, scale=scale)


def face_outline(looks: Looks) -> np.ndarray:
    """[72, 2]: an ellipse that narrows to the jaw."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    narrowing = 1 - (1 - looks.jaw) * np.clip(y, 0, 1) ** 1.5
    return np.stack([looks.width * x * narrowing, 1.09 * y], axis=1)


def _hairline(looks: Looks) -> np.ndarray:
    side = looks.width
    if looks.long_hair:
        fringe = [(0.3, -1.33), (0.7, -1.2), (side + 0.16, -0.55), (side + 0.02, 0.1), (side - 0.1, -0.5), (0.35, -0.8)]
    else:
        fringe = [
            (0.28, -1.28),
            (0.6, -1.17),
            (side + 0.1, -0.7),
            (side + 0.05, -0.15),
            (side - 0.08, -0.55),
            (0.5, -0.78),
        ]
    return smooth(mirror([*fringe, (0, -0.8)]))


def _light(colour: np.ndarray, mask: np.ndarray, looks: Looks, scale: float) -> None:
    """Shade the skin: round cheeks and nose, eye sockets, side light. In place."""
    rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    x, y = columns / scale + LEFT, rows / scale + TOP

    def spot(centre_x: float, centre_y: float, radius_x: float, radius_y: float) -> np.ndarray:
        return np.exp(-(((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2))

    light = 1.06 + looks.light * 0.6 * x
    light -= 0.26 * np.clip((x / looks.width) ** 2, 0, 1) ** 1.5 + 0.10 * np.clip(y, 0, 1.2) ** 2
    for side in (-1, 1):
        light -= 0.22 * spot(side * looks.eye_gap, looks.eye_y - 0.05, 0.24, 0.15)
        light += 0.08 * spot(side * 0.42, 0.22, 0.20, 0.16)
    light += 0.12 * spot(0, 0.06, 0.08, 0.26)
    light -= 0.14 * spot(0, 0.39, 0.20, 0.05) + 0.10 * spot(0, looks.mouth_y + 0.2, 0.20, 0.05)
    weight = mask[..., None] / 255.0
    lit = np.clip(colour * light[..., None], 0, 255)
    colour[:] = np.rint(lit * weight + colour * (1 - weight)).astype(np.uint8)


def _grow_stubble(colour: np.ndarray, mask: np.ndarray, looks: Looks, pose: np.ndarray) -> None:
    beard = np.zeros(mask.shape, np.uint8)
    right = [(0, 0.46), (0.3, 0.47), (0.5, 0.36), (looks.width, 0.05), (looks.width, 0.6), (0.5, 1.05), (0.0, 1.15)]
    drawing.fill(beard, pose, smooth(mirror(right)), 110)
    blur = 2 * round(0.08 * pose[0, 0]) + 1
    weight = np.minimum(cv2.GaussianBlur(beard, (blur, blur), 0), mask)[..., None] / 255.0
    colour[:] = np.rint(np.asarray(looks.hair) * weight + colour * (1 - weight)).astype(np.uint8)
