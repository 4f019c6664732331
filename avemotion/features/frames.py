"""Face crops of uniformly spaced video frames, and of still pictures."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from avemotion.faces import crops, detection, eyes, smoothing
from avemotion.faces.face_box import Face
from avemotion.formats import feature_store
from avemotion.formats.clips import ClipMedia
from avemotion.media.pictures import FilmFrames, blank, read_film
from avemotion.media.stills import is_still, read_still
from avemotion.system import params_file
from avemotion.system.media_error import MediaError, error_text

ROUNDING = 1e-3  # seconds; times are float32
DARK = 20.0  # of 255; a frame with a lower mean grey level shows no face of use


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.frames`."""

    count: int  # frames per clip
    size: int  # pixels, both sides
    face: bool  # crop to the face; false = the central square
    detector: str  # a file of avemotion/faces/detectors
    detector_model: str  # file of weights, for detectors that take one; data/none = none
    boxes: Literal["first", "each"]  # of a film: the face of the first frame with one, or one per frame
    smooth: int  # for boxes each: frames of the centred window whose median is the face of a frame; 1 = none
    align: Literal["none", "eyes"]  # eyes: turn and scale the crop so that the eyes lie at fixed places
    stills: Literal["whole", "face"]  # whole: pictures are cut to the face already; face: as a film of one frame
    margin: float  # enlargement of the face box, as a fraction of its side

    def __post_init__(self) -> None:
        if self.count < 1 or self.size < 8:
            raise ValueError(f"count is {self.count}, size {self.size}; give at least 1 frame of 8 pixels")
        if self.detector not in detection.names():
            raise ValueError(f"detector is {self.detector!r}; choose one of {', '.join(detection.names())}")
        if self.smooth < 1 or self.smooth % 2 == 0:
            raise ValueError(f"smooth is {self.smooth}; give an odd number of frames, 1 for none")
        if self.margin < 0:
            raise ValueError(f"margin is {self.margin}; give 0 or more")


@dataclass(frozen=True, kw_only=True)
class FrameExtractor:
    """Arrays `frames` [N, size, size, 3] uint8 RGB, `times` [N] seconds from the clip's start, `face` [1] 0 or 1.

    N is `count`, or 1 of a still. With boxes `each`, frames without a face and dark ones are left out where others of
    the clip show one, so N is smaller. Of several people the largest face counts.
    """

    params: Params
    weights: str | None  # digest of params.detector_model; None for a detector without such a file
    modality = "video"

    @property
    def views(self) -> list[str]:
        return [feature_store.CLEAN]

    def facts(self) -> dict[str, Any]:
        p = self.params
        return {"layout": "RGB", "face_detector": detection.description(p.detector) if p.face else None}

    def unused(self) -> dict[str, str]:
        """Params of the section without effect: key -> reason."""
        p, reasons = self.params, {}
        if not p.face:
            names = ("detector", "detector_model", "boxes", "smooth", "align", "margin")
            return {f"features.frames.{name}": "features.frames.face is false" for name in names}
        if detection.needs(p.detector) is None:
            reasons["features.frames.detector_model"] = f"features.frames.detector is {p.detector}"
        if p.boxes == "first":
            reasons["features.frames.smooth"] = "features.frames.boxes is first"
        return reasons

    def extract(self, clip: ClipMedia, root: Path) -> tuple[feature_store.Views, dict[str, int]]:
        import cv2

        cv2.setNumThreads(1)  # workers are processes
        path, p = root / clip.video, self.params
        still = is_still(path)
        film, cut = (_still(path), False) if still else self._read(path, clip)
        pictures, times = film.frames, film.times
        faces: list[Face | None] = [None] * len(pictures)
        counts: dict[str, int] = {}
        if p.face and not (still and p.stills == "whole"):
            if p.boxes == "first":
                faces = [next(filter(None, map(self._find, pictures)), None)] * len(pictures)
            else:
                found = [self._find(picture) for picture in pictures]
                usable = [i for i, face in enumerate(found) if face and pictures[i].mean() >= DARK]
                counts = {"frames": len(pictures), "frames_with_face": len(usable)}
                if usable:
                    pictures, times = pictures[usable], times[usable]
                    faces = [*smoothing.smoothed([face for i in usable if (face := found[i])], p.smooth)]
                else:
                    faces = _nearest(found)
            counts |= {"clips": 1, "clips_with_face": int(faces[0] is not None)}
        frames = np.stack([self._crop(picture, face) for picture, face in zip(pictures, faces, strict=True)])
        if p.align == "eyes" and faces[0]:
            counts |= {"crops": len(faces), "crops_aligned": sum(bool(face and face.eyes) for face in faces)}
        counts |= {"without_blank_ends": 1} if cut else {}
        counts |= {"partly_decoded": 1} if film.lost else {}
        face = np.array([faces[0] is not None], np.uint8)
        return {feature_store.CLEAN: {"frames": frames, "times": times, "face": face}}, counts

    def _find(self, picture: np.ndarray) -> Face | None:
        """The largest face in a picture [H, W, 3], with its eyes where crops are aligned."""
        p = self.params
        face = detection.largest(detection.detector(p.detector, p.detector_model, self.weights)(picture))
        return eyes.located(picture, face) if face and p.align == "eyes" else face

    def _crop(self, picture: np.ndarray, face: Face | None) -> np.ndarray:
        p = self.params
        if p.align == "eyes" and face and face.eyes:
            return crops.aligned(picture, face.eyes, p.size, p.margin)
        return crops.crop(picture, face, p.size, p.margin)

    def _read(self, path: Path, clip: ClipMedia) -> tuple[FilmFrames, bool]:
        """The frames of a clip, and whether blank ends were left out.

        A fade or an edit may leave black frames at the ends of a clip, or frames before the speaker is in the picture.
        They would be a large share of few frames. If the first or last of the frames are black, or the first show no
        face though a later one does, the frames are read a second time, from the part of the clip between the others.
        """
        count = self.params.count
        film = read_film(path, count, clip.video_start, clip.video_end, clip.video_crop)
        usable = [not blank(picture) for picture in film.frames]
        first_face = next((i for i in range(count) if self._find(film.frames[i])), 0) if self.params.face else 0
        usable[:first_face] = [False] * first_face
        kept = [i for i, good in enumerate(usable) if good]
        if not kept or len(kept) == kept[-1] - kept[0] + 1 == count:
            return film, False
        first, last = kept[0], kept[-1]
        begin, start, end = clip.video_start or 0.0, clip.video_start, clip.video_end
        if first > 0:
            start = begin + film.times[first].item() - ROUNDING
        if last < count - 1:
            end = begin + film.times[last + 1].item() - ROUNDING
        again = read_film(path, count, start, end, clip.video_crop)
        return replace(again, times=again.times + np.float32((start or 0.0) - begin)), True


def configure(file: Path, role: str) -> FrameExtractor:
    """The extractor; the same for all roles.

    Raises:
        ValueError: the detector's file of weights does not exist.
    """
    params = params_file.read(file, "features.frames", Params)
    try:
        weights = detection.weights(params.detector, params.detector_model) if params.face else None
    except ValueError as error:
        raise ValueError(f"{file}: features.frames.{error}") from error
    return FrameExtractor(params=params, weights=weights)


def restore(settings: dict[str, Any], device: str) -> FrameExtractor:
    """The extractor that a checkpoint's settings describe."""
    return FrameExtractor(params=Params(**settings["params"]), weights=settings["weights"])


def _still(path: Path) -> FilmFrames:
    """A still picture as a film of one frame at 0 s.

    Raises:
        MediaError: it does not decode.
    """
    try:
        picture = read_still(path)
    except (OSError, ValueError) as error:
        raise MediaError(path, str(error) if isinstance(error, ValueError) else error_text(error)) from error
    return FilmFrames(frames=picture[None], times=np.zeros(1, np.float32), lost=0.0)


def _nearest(faces: list[Face | None]) -> list[Face | None]:
    """Frames without a face get that of the nearest frame, of the earlier one where two are as near."""
    having = [i for i, face in enumerate(faces) if face]
    return [faces[min(having, key=lambda j: (abs(j - i), j))] if having else None for i in range(len(faces))]
