"""The cascades that OpenCV's wheel contains."""

from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=2)
def cascade(name: str) -> Any:
    """A cascade by the name of its file, such as haarcascade_eye.

    Raises:
        ValueError: this OpenCV has none.
    """
    import cv2

    if not hasattr(cv2, "CascadeClassifier"):
        raise ValueError(
            f"OpenCV {cv2.__version__} has no Haar cascades; install opencv-python-headless<5 or set "
            "features.frames.face to false"
        )
    folder = Path(cv2.data.haarcascades)  # type: ignore[attr-defined] # missing in the stubs
    return cv2.CascadeClassifier(str(folder / f"{name}.xml"))
