"""The cascade of Viola and Jones (2001), from OpenCV: frontal faces of an eighth of the shorter side or more."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.faces.cascades import cascade
from avemotion.faces.face_box import Face, shrinking

DESCRIPTION = "OpenCV's haarcascade_frontalface_default"


def load(model: Path | None) -> Callable[[np.ndarray], list[Face]]:
    """The detector: picture [H, W, 3] RGB -> faces, without eyes."""
    return partial(_find, cascade("haarcascade_frontalface_default"))


def _find(classifier: Any, picture: np.ndarray) -> list[Face]:
    import cv2

    scale = shrinking(*picture.shape[:2])
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes = classifier.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(40, 40))
    sides = ([float(value) / scale for value in box] for box in boxes)
    return [Face(left=left, top=top, width=width, height=height) for left, top, width, height in sides]
