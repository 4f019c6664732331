"""Face crops of uniformly spaced video frames, and of still pictures."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from avemotion.formats import feature_store
from avemotion.formats.clips import ClipMedia
from avemotion.media.pictures import FilmFrames, blank, read_film
from avemotion.media.stills import is_still, read_still
from avemotion.system import params_file
from avemotion.system.media_error import MediaError, error_text

ROUNDING = 1e-3  # seconds; times are float32
DARK = 20.0  # of 255; a frame with a lower mean grey level shows no face of use
Box = tuple[int, int, int]  # left, top, side in pixels


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.frames`."""

    count: int  # frames per clip
    size: int  # pixels, both sides
    face: bool  # crop to the face; false = the central square
    boxes: Literal["first", "each"]  # of a film: the box of the first frame with a face, or one per frame
    stills: Literal["whole", "face"]  # whole: pictures are cut to the face already; face: as a film of one frame
    margin: float  # enlargement of the face box, as a fraction of its side

    def __post_init__(self) -> None:
        if self.count < 1 or self.size < 8:
            raise ValueError(f"count is {self.count}, size {self.size}; give at least 1 frame of 8 pixels")
        if self.margin < 0:
            raise ValueError(f"margin is {self.margin}; give 0 or more")


@dataclass(frozen=True, kw_only=True)
class FrameExtractor:
    """Arrays `frames` [N, size, size, 3] uint8 RGB, `times` [N] seconds from the clip's start, `face` [1] 0 or 1.

    N is `count`, or 1 of a still. With boxes `each`, frames without a face and dark ones are left out where others of
    the clip show one, so N is smaller.
    """

    params: Params
    modality = "video"

    @property
    def views(self) -> list[str]:
        return [feature_store.CLEAN]

    def facts(self) -> dict[str, Any]:
        return {"layout": "RGB", "face_detector": "haarcascade_frontalface_default" if self.params.face else None}

    def extract(self, clip: ClipMedia, root: Path) -> tuple[feature_store.Views, dict[str, int]]:
        import cv2

        cv2.setNumThreads(1)  # workers are processes
        path, p = root / clip.video, self.params
        still = is_still(path)
        film, cut = (_still(path, clip), False) if still else _read(path, clip, p)
        pictures, times = film.frames, film.times
        boxes: list[Box | None] = [None] * len(pictures)
        counts = {"without_face": 0}
        if p.face and not (still and p.stills == "whole"):
            if p.boxes == "first":
                boxes = [find_face(pictures, p.margin)] * len(pictures)
            else:
                boxes = [find_face(pictures[i : i + 1], p.margin) for i in range(len(pictures))]
                usable = [i for i, box in enumerate(boxes) if box and pictures[i].mean() >= DARK]
                counts |= {"frames": len(pictures), "frames_without_face": len(pictures) - len(usable)}
                if usable:
                    pictures, times, boxes = pictures[usable], times[usable], [boxes[i] for i in usable]
                else:
                    boxes = _nearest(boxes)
            counts["without_face"] = int(boxes[0] is None)
        frames = np.stack([_crop(picture, box, p.size) for picture, box in zip(pictures, boxes, strict=True)])
        counts |= {"without_blank_ends": 1} if cut else {}
        counts |= {"partly_decoded": 1} if film.lost else {}
        face = np.array([boxes[0] is not None], np.uint8)
        return {feature_store.CLEAN: {"frames": frames, "times": times, "face": face}}, counts


def configure(file: Path, role: str) -> FrameExtractor:
    """The extractor; the same for both roles."""
    return FrameExtractor(params=params_file.read(file, "features.frames", Params))


def restore(settings: dict[str, Any], device: str) -> FrameExtractor:
    """The extractor that a checkpoint's settings describe."""
    return FrameExtractor(params=Params(**settings["params"]))


def _still(path: Path, clip: ClipMedia) -> FilmFrames:
    """A still picture as a film of one frame at 0 s.

    Raises:
        MediaError: it does not decode.
    """
    try:
        picture = read_still(path)
    except (OSError, ValueError) as error:
        raise MediaError(path, str(error) if isinstance(error, ValueError) else error_text(error)) from error
    return FilmFrames(frames=picture[None], times=np.zeros(1, np.float32), lost=0.0)


def _read(path: Path, clip: ClipMedia, params: Params) -> tuple[FilmFrames, bool]:
    """The frames of a clip, and whether blank ends were left out.

    A fade or an edit may leave black frames at the ends of a clip, or frames before the speaker is in the picture. They
    would be a large share of few frames. If the first or last of the frames are black, or the first show no face though
    a later one does, the frames are read a second time, from the part of the clip between the others.
    """
    film = read_film(path, params.count, clip.video_start, clip.video_end, clip.video_crop)
    usable = [not blank(picture) for picture in film.frames]
    first_face = _first_face(film.frames, params.margin) if params.face else None
    usable[: first_face or 0] = [False] * (first_face or 0)
    kept = [i for i, good in enumerate(usable) if good]
    if not kept or len(kept) == kept[-1] - kept[0] + 1 == params.count:
        return film, False
    first, last = kept[0], kept[-1]
    begin, start, end = clip.video_start or 0.0, clip.video_start, clip.video_end
    if first > 0:
        start = begin + film.times[first].item() - ROUNDING
    if last < params.count - 1:
        end = begin + film.times[last + 1].item() - ROUNDING
    again = read_film(path, params.count, start, end, clip.video_crop)
    return replace(again, times=again.times + np.float32((start or 0.0) - begin)), True


def _first_face(pictures: np.ndarray, margin: float) -> int | None:
    return next((i for i in range(len(pictures)) if find_face(pictures[i : i + 1], margin)), None)


def find_face(pictures: np.ndarray, margin: float) -> Box | None:
    """The largest face in the first picture that shows one; all pictures get this box, because the speakers sit still.

    pictures [N, H, W, 3] RGB -> a square within the picture, or None if no picture shows a face.
    """
    import cv2

    height, width = pictures.shape[1:3]
    scale = min(1.0, 320 / min(height, width))  # detection time grows with the area; 320 rows are enough for any face
    for picture in pictures:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        faces = _detector().detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(40, 40))
        if len(faces):
            x, y, w, h = (value / scale for value in max(faces, key=lambda face: (face[2] * face[3], *face)).tolist())
            side = min(round(max(w, h) * (1 + margin)), height, width)
            left, top = round(x + w / 2 - side / 2), round(y + h / 2 - side / 2)
            return min(max(left, 0), width - side), min(max(top, 0), height - side), side
    return None


def _nearest(boxes: list[Box | None]) -> list[Box | None]:
    """Frames without a box get that of the nearest frame, of the earlier one where two are as near."""
    having = [i for i, box in enumerate(boxes) if box]
    return [boxes[min(having, key=lambda j: (abs(j - i), j))] if having else None for i in range(len(boxes))]


def _crop(picture: np.ndarray, box: Box | None, size: int) -> np.ndarray:
    """The square of a picture [H, W, 3], by default the central one, as [size, size, 3]."""
    import cv2

    left, top, side = box or _centre(*picture.shape[:2])
    return cv2.resize(picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)


def _centre(height: int, width: int) -> Box:
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side


@lru_cache(maxsize=1)
def _detector() -> Any:
    import cv2

    if not hasattr(cv2, "CascadeClassifier"):
        raise ValueError(
            f"OpenCV {cv2.__version__} has no Haar cascades; install opencv-python-headless<5 or set "
            "features.frames.face to false"
        )
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))
