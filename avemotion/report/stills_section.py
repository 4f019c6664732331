"""The part of report.html about the face encoder on still pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avemotion.report import cells, page

PICTURES = {"stills_confusion.png": "True and predicted emotion of every test picture."}
NAMES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1"}


def parts(faces: Mapping[str, Any] | None, plots: Path) -> list[str]:
    """faces: that entry of metrics/detail/emotion.json; None = the role has no corpus. plots: folder of its picture."""
    if faces is None:
        return []
    rows = [
        ["face encoder", *(cells.bounded(faces["test"], name) for name in NAMES)],
        ["on validation pictures", *(cells.number(faces["val"][name]) for name in NAMES)],
        ["most frequent training class", cells.number(faces["majority"]), cells.NONE, cells.NONE],
        ["chance", cells.NONE, cells.number(faces["chance"]), cells.NONE],
    ]
    return [
        page.heading("Face encoder on still pictures"),
        page.paragraph(
            f"{faces['pictures']} test pictures of {faces['corpus']}; 95 % intervals by bootstrap over single "
            "pictures, as they have no speakers. Several pictures of one person make them too narrow."
        ),
        page.table(("", *NAMES.values()), rows),
        cells.pictures(plots, PICTURES),
    ]
