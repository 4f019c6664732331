"""Faces of successive frames without the jumps of a detector: the median over the frames around each."""

from collections.abc import Sequence
from statistics import median

from avemotion.faces.face_box import Face, Point


def smoothed(faces: Sequence[Face], frames: int) -> list[Face]:
    """Median of centre, size and eyes over a centred window, as in SyncNet's pipeline (Chung and Zisserman 2016).

    Args:
        faces: one per frame, in time order.
        frames: odd width of the window; 1 changes nothing. The window is narrower at both ends, and stays centred.
    """
    around = []
    for i in range(len(faces)):
        reach = min(frames // 2, i, len(faces) - 1 - i)
        around.append(_median(faces[i - reach : i + reach + 1]) if reach else faces[i])
    return around


def _median(faces: Sequence[Face]) -> Face:
    width, height = median(face.width for face in faces), median(face.height for face in faces)
    x = median(face.left + face.width / 2 for face in faces)
    y = median(face.top + face.height / 2 for face in faces)
    eyes = [face.eyes for face in faces if face.eyes is not None]
    pair = (_middle([a for a, _ in eyes]), _middle([b for _, b in eyes])) if eyes else None
    return Face(left=x - width / 2, top=y - height / 2, width=width, height=height, eyes=pair)


def _middle(points: Sequence[Point]) -> Point:
    return median(x for x, _ in points), median(y for _, y in points)
