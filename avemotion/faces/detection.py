"""Face detectors by name (values of features.frames.detector): each is one file in avemotion/faces/detectors.

A detector's `load(model)` gives a function from a picture [H, W, 3] uint8 RGB to a list of Face. DESCRIPTION names it
in the index of the cache. MODEL, if it has this constant, describes the file of weights that it needs; REQUIRES has the
name of an optional package and the remedy where it is missing.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from avemotion.faces.face_box import Face
from avemotion.system import plugins

PACKAGE = "avemotion.faces.detectors"


def names() -> tuple[str, ...]:
    """Names of all detectors, sorted."""
    return plugins.names(PACKAGE)


def description(name: str) -> str:
    """What a detector is, for the index of the cache."""
    return str(plugins.constant(PACKAGE, name, "DESCRIPTION", name))


def needs(name: str) -> str | None:
    """The file of weights that a detector needs, in words; None if it needs none."""
    return plugins.constant(PACKAGE, name, "MODEL")


def weights(name: str, model: str) -> str | None:
    """The digest of the file of weights of a detector; None if it needs none.

    Raises:
        ValueError: the detector lacks this file, or a package.
    """
    package, remedy = plugins.constant(PACKAGE, name, "REQUIRES", (None, ""))
    if package and importlib.util.find_spec(package) is None:
        raise ValueError(f"detector is {name}, which needs the package {package}; {remedy}")
    if needs(name) is None:
        return None
    if not Path(model).is_file():
        raise ValueError(f"detector_model is {model}, which is no file; {name} takes {needs(name)}")
    return hashlib.blake2b(Path(model).read_bytes(), digest_size=16).hexdigest()


@lru_cache(maxsize=2)
def detector(name: str, model: str, digest: str | None) -> Callable[[np.ndarray], list[Face]]:
    """A detector, loaded once in each process.

    Args:
        digest: of the file `model`, from `weights`.

    Raises:
        ValueError: a package is missing, or the file is missing or another one.
    """
    if (now := weights(name, model)) != digest:
        raise ValueError(f"detector_model {model} is another file than at training ({now}, then {digest})")
    found: Callable[[np.ndarray], list[Face]] = plugins.load(PACKAGE, name).load(Path(model))
    return found


def largest(faces: list[Face]) -> Face | None:
    """The largest of the faces in one picture."""
    return max(faces, key=lambda face: face.order, default=None)
