"""Reads still pictures: files, and rows of a table of grey levels, which are named as files below it (faces.csv/12)."""

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.system.media_error import error_text

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
PIXELS = "pixels"  # column of a table: grey levels of a square picture, row by row, separated by blanks
DEEP = ("PNG", "PPM")  # formats whose mode I has values of 16 bits
SEVERAL = "MPO"  # a photograph with a preview or a second view; the first picture is the photograph


def is_still(path: Path) -> bool:
    """Whether a path names a still picture, by its suffix or as a row of a table."""
    return path.suffix.lower() in SUFFIXES or path.parent.suffix.lower() == ".csv"


def file_of(path: Path) -> Path:
    """The file that holds a picture: the path itself, or the table."""
    return path.parent if path.parent.suffix.lower() == ".csv" else path


def read_still(path: Path) -> np.ndarray:
    """A picture as it is shown, [H, W, 3] uint8 RGB: turned as its EXIF data say, transparent parts white.

    Values of 16 bits are scaled to 8. CMYK is converted.

    Raises:
        ValueError: the file is damaged, holds several pictures, more than 178 million pixels, or values without a known
            white level; without the path.
        OSError: the file cannot be opened.
    """
    if file_of(path) != path:
        return np.repeat(_row(path)[..., None], 3, axis=2)
    from PIL import Image, ImageOps

    with path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        try:
            with Image.open(stream) as picture:
                if getattr(picture, "n_frames", 1) > 1 and picture.format != SEVERAL:
                    raise ValueError(f"{picture.n_frames} pictures in one file; give a single one")
                picture.load()
                return _rgb(ImageOps.exif_transpose(picture), picture.format)
        except (MemoryError, ValueError):
            raise
        except Image.DecompressionBombError as error:  # a few bytes of a file may stand for gigabytes
            raise ValueError(f"too large: {str(error).partition(',')[0]}; make it smaller") from error
        except Exception as error:  # on a damaged file a decoder may raise any error
            reason = str(error) if str(error).startswith("image file is truncated") else error_text(error)
            raise ValueError(f"cannot be read as a picture: {reason}") from error


def _rgb(picture: Any, stored_as: str | None) -> np.ndarray:
    from PIL import Image

    if picture.mode.startswith("I;16") or (picture.mode == "I" and stored_as in DEEP):
        levels = np.asarray(picture).astype(np.uint32)
        grey = ((levels + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("I", "F"):
        raise ValueError("values of 32 bits, whose white level is unknown; save it with 8 or 16 bits")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    return np.array(picture.convert("RGB"))


def _row(path: Path) -> np.ndarray:
    """Grey levels [S, S] uint8 of a row of a table."""
    table, number = path.parent, path.name
    stat = table.stat()
    column, starts = _table(table, stat.st_size, stat.st_mtime_ns)
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number) < len(starts):
        raise ValueError(f"no row {number} in the table of {len(starts) - 1} rows")
    with table.open("rb") as stream:
        stream.seek(starts[int(number)])
        cells = stream.readline().split(b",")
    try:
        levels = np.array(cells[column].strip(b' "\r\n').split(), np.int64)
    except (IndexError, ValueError) as error:
        raise ValueError("its pixels are not whole numbers") from error
    side = round(len(levels) ** 0.5)
    if not side or side * side != len(levels) or levels.min() < 0 or levels.max() > 255:
        raise ValueError(f"its {len(levels)} pixels are no square of values from 0 to 255")
    return levels.reshape(side, side).astype(np.uint8)


@lru_cache(maxsize=2)
def _table(table: Path, size: int, modified: int) -> tuple[int, list[int]]:
    """The column of the pixels, and where each line starts; the header is line 0."""
    starts, here = [], 0
    with table.open("rb") as stream:
        header = stream.readline()
        here = len(header)
        starts.append(0)
        for line in stream:
            if line.strip():
                starts.append(here)
            here += len(line)
    names = [name.strip(' "\r\n') for name in header.decode("utf-8-sig", "replace").split(",")]
    if PIXELS not in names:
        raise ValueError(f"its table has no column {PIXELS}")
    return names.index(PIXELS), starts
