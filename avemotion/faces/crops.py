"""Square crops of pictures: about a face, aligned by its eyes, or central."""

import numpy as np

from avemotion.faces.face_box import Box, Face, Point, square

# Places of the eyes in an aligned crop without margin, as shares of its side: ArcFace's template (Deng et al. 2019),
# 38.29, 51.70 and 73.53, 51.50 of 112 pixels, made symmetric.
EYE_LEFT, EYE_TOP = 0.3427, 0.4607


def crop(picture: np.ndarray, face: Face | None, size: int, margin: float) -> np.ndarray:
    """The square about a face, or the central one, of a picture [H, W, 3], as [size, size, 3]."""
    import cv2

    height, width = picture.shape[:2]
    left, top, side = square(face, height, width, margin) if face else _centre(height, width)
    return cv2.resize(picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)


def aligned(picture: np.ndarray, eyes: tuple[Point, Point], size: int, margin: float) -> np.ndarray:
    """A picture [H, W, 3] turned and scaled so that the eyes lie level at fixed places, as [size, size, 3].

    margin: enlarges the part of the picture that is shown. Beyond its edge the picture is continued.
    """
    import cv2

    (x0, y0), (x1, y1) = eyes
    apart = (1 - 2 * EYE_LEFT) / (1 + margin) * size  # pixels of the crop between the eyes
    # warpAffine takes single pixels, so a picture that gets much smaller is first drawn larger and then averaged.
    times = max(1, int(np.hypot(x1 - x0, y1 - y0) / apart))
    turn = complex(apart * times) / complex(x1 - x0, y1 - y0)  # scale and rotation as a complex factor
    middle, target = complex(x0 + x1, y0 + y1) / 2, complex(0.5, 0.5 + (EYE_TOP - 0.5) / (1 + margin)) * size * times
    half = 0.5 + 0.5j  # cv2 counts from the centre of the first pixel, eyes and places from its corner
    shift = target - half - turn * (middle - half)
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    drawn = cv2.warpAffine(
        picture, matrix, (size * times, size * times), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA) if times > 1 else drawn


def _centre(height: int, width: int) -> Box:
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side
