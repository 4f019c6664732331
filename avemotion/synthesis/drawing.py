"""Anti-aliased shapes in head units, drawn directly at picture resolution.

Head units: origin between the eyes and the mouth, x to the viewer's right, y down, 1 = half the face's
height. A pose [2, 3] maps them to pixels: pixels = pose[:, :2] @ point + pose[:, 2].
Colours are (blue, green, red) in 0..255.
"""

from collections.abc import Sequence

import cv2
import numpy as np

Colour = tuple[float, float, float]
Points = np.ndarray | Sequence[Sequence[float]]  # [N, 2] head units

_SUBPIXEL_BITS = 4


def fill(picture: np.ndarray, pose: np.ndarray, points: Points, colour: Colour | int) -> None:
    """Fill a closed shape in picture, in place."""
    cv2.fillPoly(picture, [_pixels(pose, points)], colour, cv2.LINE_AA, _SUBPIXEL_BITS)


def stroke(picture: np.ndarray, pose: np.ndarray, points: Points, colour: Colour, width: float) -> None:
    """Draw an open line of a width in head units (at least one pixel), in place."""
    scale = float(np.hypot(pose[0, 0], pose[1, 0]))
    thickness = max(1, round(width * scale))
    cv2.polylines(picture, [_pixels(pose, points)], False, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _pixels(pose: np.ndarray, points: Points) -> np.ndarray:
    mapped = np.asarray(points, np.float64) @ pose[:, :2].T + pose[:, 2]
    return np.rint(mapped * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def curve(x: np.ndarray, y: np.ndarray | float) -> np.ndarray:
    """[N, 2] from coordinates [N]; y may be one number."""
    return np.stack([x, np.broadcast_to(y, x.shape)], axis=1)


def between(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The outline [2N, 2] of the area between two curves over the same x [N]."""
    return np.concatenate([curve(x, upper), curve(x, lower)[::-1]])


_ANGLES = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Outline [28, 2]."""
    return _CIRCLE * radii + centre


def smooth(points: Points, rounds: int = 3) -> np.ndarray:
    """Round off a closed outline by cutting its corners (Chaikin 1974)."""
    outline = np.asarray(points, np.float64)
    for _ in range(rounds):
        following = np.roll(outline, -1, axis=0)
        corners = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], axis=1)
        outline = corners.reshape(-1, 2)
    return outline


def mirror(points: Points) -> np.ndarray:
    """A closed outline from its right half (x >= 0, top to bottom)."""
    right = np.asarray(points, np.float64)
    return np.concatenate([right, right[::-1] * (-1, 1)])


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (factor < 1) or lighter."""
    return tuple(min(255.0, max(0.0, value * factor)) for value in colour)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """(1 - share) of first and share of second."""
    return tuple((1 - share) * a + share * b for a, b in zip(first, second, strict=True))
