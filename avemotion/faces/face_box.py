"""A detected face, and the square that a picture is cut to."""

from dataclasses import dataclass

Point = tuple[float, float]  # x, y in pixels
Box = tuple[int, int, int]  # left, top, side in pixels
ROWS = 320  # detection time grows with the area; this height, or width, of a picture is enough for any face of use


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face in pixels of its picture."""

    left: float
    top: float
    width: float
    height: float
    eyes: tuple[Point, Point] | None = None  # centres, the one further left in the picture first; None = unknown

    @property
    def order(self) -> tuple[float, ...]:
        """Sorts faces by area, then by place, so that the largest one is unique."""
        return self.width * self.height, self.left, self.top, self.width, self.height


def shrinking(height: int, width: int) -> float:
    """The factor, at most 1, that brings the shorter side of a picture to ROWS."""
    return min(1.0, ROWS / min(height, width))


def square(face: Face, height: int, width: int, margin: float) -> Box:
    """The square about a face within a picture of height x width.

    margin: enlargement, as a share of the longer side of the face.
    """
    side = min(round(max(face.width, face.height) * (1 + margin)), height, width)
    left, top = round(face.left + face.width / 2 - side / 2), round(face.top + face.height / 2 - side / 2)
    return min(max(left, 0), width - side), min(max(top, 0), height - side), side
