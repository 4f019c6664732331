"""YuNet (Wu et al. 2023) through OpenCV, from a file such as face_detection_yunet_2023mar.onnx of opencv/opencv_zoo."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.faces.face_box import Face, shrinking

DESCRIPTION = "YuNet through OpenCV"
MODEL = "face_detection_yunet_2023mar.onnx, 232,589 bytes, from opencv/opencv_zoo"
SCORE, OVERLAP, CANDIDATES = 0.6, 0.3, 5000  # as in the zoo's own program


def load(model: Path | None) -> Callable[[np.ndarray], list[Face]]:
    """The detector: picture [H, W, 3] RGB -> faces with eyes.

    Raises:
        ValueError: the file is no model of this detector.
    """
    import cv2

    try:
        network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), SCORE, OVERLAP, CANDIDATES)
        network.detect(np.zeros((320, 320, 3), np.uint8))
    except cv2.error as error:
        raise ValueError(
            f"features.frames.detector_model {model} is no YuNet model ({error.err}); give {MODEL}"
        ) from error
    return partial(_find, network)


def _find(network: Any, picture: np.ndarray) -> list[Face]:
    import cv2

    scale = shrinking(*picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    network.setInputSize((picture.shape[1], picture.shape[0]))
    _, rows = network.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return [] if rows is None else [_face([float(value) / scale for value in row]) for row in rows]


def _face(row: list[float]) -> Face:
    """x, y, width, height; x, y of the right eye, left eye, nose and corners of the mouth; score."""
    first, second = sorted([(row[4], row[5]), (row[6], row[7])])
    return Face(left=row[0], top=row[1], width=row[2], height=row[3], eyes=(first, second))
