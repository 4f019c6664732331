"""Eyes of faces whose detector gives none: OpenCV's cascade, within the upper half of the face."""

import numpy as np

from avemotion.faces.cascades import cascade
from avemotion.faces.face_box import Face, Point

SIDE = 160  # pixels to which a face is brought, so that eyes have the sizes that the cascade looks for
LOW, HIGH = 0.2, 0.75  # least and largest distance of the eyes, as a share of the width of the face
SLOPE = 0.6  # largest slope of the line through the eyes, about 30 degrees


def located(picture: np.ndarray, face: Face) -> Face:
    """The face with its eyes, as far as both are visible; picture [H, W, 3] RGB."""
    if face.eyes is not None:
        return face if plausible(face.eyes, face.width) else _with(face, None)
    import cv2

    left, top = max(round(face.left), 0), max(round(face.top), 0)
    part = picture[top : top + round(face.height * 0.6), left : left + round(face.width)]
    if min(part.shape[:2]) < 8:
        return face
    scale = SIDE / part.shape[1]
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    boxes = cascade("haarcascade_eye").detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(20, 20))
    centres = [(x + w / 2, y + h / 2, w * h) for x, y, w, h in np.asarray(boxes, float).reshape(-1, 4)]
    sides = ([c for c in centres if c[0] < SIDE / 2], [c for c in centres if c[0] >= SIDE / 2])
    if not all(sides):
        return face
    best = [max(side, key=lambda centre: (centre[2], *centre)) for side in sides]  # the largest box on either side
    first, second = ((float(left + x / scale), float(top + y / scale)) for x, y, _ in best)
    return _with(face, (first, second)) if plausible((first, second), face.width) else face


def plausible(eyes: tuple[Point, Point], width: float) -> bool:
    """Whether two points are the eyes of a face of this width that looks forward; in profile they come together."""
    (x0, y0), (x1, y1) = eyes
    across = x1 - x0
    return LOW * width <= across <= HIGH * width and abs(y1 - y0) <= SLOPE * across


def _with(face: Face, eyes: tuple[Point, Point] | None) -> Face:
    return Face(left=face.left, top=face.top, width=face.width, height=face.height, eyes=eyes)
