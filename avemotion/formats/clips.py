"""clips.csv: the media of a role's clips, the only table that feature extraction reads; labels.csv is separate."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from avemotion.system import tables

FOLDER = Path("data/manifest")
NUMBERS = ("video_start", "video_end", "duration")
REMEDY = "run `dvc repro manifest` (or python -m stages.manifest)"


@dataclass(frozen=True, kw_only=True)
class ClipMedia:
    """Location of the sound and the picture of one clip."""

    id: str
    audio: str | None  # POSIX path below the corpus root; None = no sound
    video: str | None  # None = no picture; audio and video are never both None
    video_start: float | None  # seconds within the video file; None = the whole file
    video_end: float | None
    video_crop: tuple[float, float, float, float] | None  # left, top, right, bottom, each 0-1; None = the whole picture
    duration: float  # seconds of sound, or of picture where there is no sound
    audio_hash: str | None  # blake2b-128 (hex) of the file's bytes
    video_hash: str | None


COLUMNS = tuple(field.name for field in fields(ClipMedia))


def write(role: str, clips: Iterable[ClipMedia], folder: Path = FOLDER) -> None:
    """Write <folder>/<role>/clips.csv with rows sorted by id."""
    import pandas as pd

    rows = [vars(clip) | {"video_crop": _crop_text(clip.video_crop)} for clip in clips]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("id")
    tables.write_csv(folder / role / "clips.csv", table)


def read(role: str, folder: Path = FOLDER) -> list[ClipMedia]:
    """The clips of a role, sorted by id.

    Raises:
        ValueError: clips.csv is missing or not of the expected form.
    """
    table = tables.read_csv(folder / role / "clips.csv", COLUMNS, NUMBERS, REMEDY)
    return [_clip(row) for row in table.to_dict("records")]


def _clip(row: dict) -> ClipMedia:
    bounds = {name: None if math.isnan(row[name]) else row[name] for name in ("video_start", "video_end")}
    crop = tuple(map(float, row["video_crop"].split())) if row["video_crop"] else None
    return ClipMedia(**row | bounds | {"video_crop": crop})


def _crop_text(crop: tuple[float, ...] | None) -> str | None:
    return " ".join(f"{edge:g}" for edge in crop) if crop else None
