"""Reads pictures from video files."""

import math
from pathlib import Path

import numpy as np

from avemotion.system.media_error import MediaError

Crop = tuple[float, float, float, float]  # left, top, right, bottom as fractions of width and height


def read_frames(
    path: Path, count: int, start: float | None = None, end: float | None = None, crop: Crop | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Uniformly spaced frames: the middles of `count` equal parts of [start, end).

    Args:
        start, end: seconds within the file; None = from its beginning, to its end.
        crop: the part of the picture to keep; None = all of it.

    Returns:
        frames [count, H, W, 3] uint8 RGB (a short clip repeats some of them), times [count] float32 in seconds after
        start.

    Raises:
        MediaError: the file does not decode or has no frame in [start, end).
    """
    import cv2

    cv2.setNumThreads(1)  # workers are processes
    begin = start or 0.0
    capture = cv2.VideoCapture(str(path))
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if not capture.isOpened() or not 0 < rate < math.inf or frames < 1:
            raise MediaError(path, "cannot be read as video; repair or remove the file")
        # A frame is in the interval if its time is; 1e-6 of a frame absorbs rounding of seconds.
        first = math.ceil(begin * rate - 1e-6)
        stop = frames if end is None else min(frames, math.ceil(end * rate - 1e-6))
        pictures, wanted, expected = {}, [], stop - first
        while first < stop:
            wanted = [first + int((i + 0.5) * (stop - first) / count) for i in range(count)]
            pictures, reached = _decode(capture, path, wanted)
            if len(pictures) == len(set(wanted)):
                break
            stop = reached  # the header of the container gives too many frames
        if first >= stop:
            where = "the file" if start is None and end is None else f"{begin:g} to {end or frames / rate:g} s"
            raise MediaError(path, f"no frame in {where} (it has {frames / rate:.2f} s); correct the times or the file")
        if 2 * (stop - first) < expected:  # a few missing frames are usual; if most are missing, the file is damaged
            seconds = f"{(stop - first) / rate:.2f} s of {expected / rate:.2f} s"
            raise MediaError(path, f"pictures decode for {seconds} only; repair or remove the file")
    finally:
        capture.release()
    times = np.array([index / rate - begin for index in wanted], np.float32)
    return np.stack([cv2.cvtColor(_cropped(pictures[index], crop), cv2.COLOR_BGR2RGB) for index in wanted]), times


def decodes(path: Path) -> bool:
    """Whether the first picture of a file decodes."""
    import cv2

    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(str(path))
    try:
        rate, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return capture.isOpened() and 0 < rate < math.inf and frames >= 1 and capture.grab()
    finally:
        capture.release()


def _decode(capture, path: Path, wanted: list[int]) -> tuple[dict[int, np.ndarray], int]:
    """Frames by index, and the index at which decoding ended; wanted is ascending."""
    import cv2

    # OpenCV seeks to the key frame before and decodes up to the wanted frame. Near the beginning, plain decoding is as
    # fast, and correct even with wrong time stamps. It restarts at the first frame by opening the file again, because
    # seeking fails in damaged files.
    if wanted[0] >= 64:
        capture.set(cv2.CAP_PROP_POS_FRAMES, wanted[0])
    elif capture.get(cv2.CAP_PROP_POS_FRAMES) > wanted[0]:
        capture.open(str(path))
    position = int(capture.get(cv2.CAP_PROP_POS_FRAMES))
    pictures = {}
    for index in sorted(set(wanted)):
        while position < index:
            if not capture.grab():
                return pictures, position
            position += 1
        decoded, picture = capture.read()
        if not decoded:
            return pictures, position
        pictures[index] = picture
        position += 1
    return pictures, position


def _cropped(picture: np.ndarray, crop: Crop | None) -> np.ndarray:
    if crop is None:
        return picture
    height, width = picture.shape[:2]
    left, top, right, bottom = crop
    x, y = round(left * width), round(top * height)
    return picture[y : max(y + 1, round(bottom * height)), x : max(x + 1, round(right * width))]
