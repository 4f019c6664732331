"""plots/faces.png: the pictures that the models get, one row per speaker, one clip per tile.

Where each clip counts as a speaker of its own, as in stills from the web, a row is a class.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from avemotion.formats.feature_store import FeatureStore
from avemotion.plots.common import canvas
from avemotion.system.seeds import seed_for

ROWS, COLUMNS = 6, 8  # speakers of a role, clips of a speaker
TILE, GAP = 48, 2  # pixels
INCHES = 0.72  # of a tile
BEYOND = 255  # colour of tiles without a clip


@dataclass(frozen=True, kw_only=True)
class Tile:
    """The middle frame of one clip."""

    picture: NDArray[np.uint8]  # [H, H, 3]
    label: str
    face: bool  # whether the picture is cut to a face; True also where none was looked for


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The tiles of one role."""

    title: str
    rows: dict[str, list[Tile]]  # by speaker or class


def sheet(role: str, store: FeatureStore, labels: pd.DataFrame, classes: Sequence[str]) -> Sheet:
    """The sheet of a role: speakers evenly from the list of their names, of each one clips of every class in turn.

    Of clips without known speakers, the first of each class by a hash of their ids.

    Args:
        labels: id, speaker, label.
    """
    known = labels[[store.length(clip, "frames") > 0 for clip in labels["id"]]]
    speakers = sorted(known["speaker"].unique())
    chosen = [speakers[round(place)] for place in np.linspace(0, len(speakers) - 1, min(ROWS, len(speakers)))]
    looked = "clips" in store.facts["counts"]
    if len(speakers) == len(known) > 1:
        of_class = {name: _mixed(known.loc[known["label"] == name, "id"]) for name in classes}
        of_class["no class"] = _mixed(known.loc[~known["label"].isin(list(classes)), "id"])
        rows = {name: [_tile(store, clip, "", looked) for clip in ids] for name, ids in of_class.items() if ids}
    else:
        of_speaker = {name: in_turn(known[known["speaker"] == name], classes)[:COLUMNS] for name in chosen}
        rows = {name: [_tile(store, *clip, looked) for clip in clips] for name, clips in of_speaker.items()}
    return Sheet(title=f"{role}: {_title(store, len(known), len(speakers))}", rows=rows)


def in_turn(table: pd.DataFrame, classes: Sequence[str]) -> list[tuple[str, str]]:
    """(id, label) of clips: the first of each class, then the second of each, and so on; clips without a class last."""
    of_class = {name: sorted(table.loc[table["label"] == name, "id"]) for name in classes}
    turns = [(i, k, clip, name) for k, (name, ids) in enumerate(of_class.items()) for i, clip in enumerate(ids)]
    unlabelled = sorted(table.loc[~table["label"].isin(list(classes)), "id"])
    return [(clip, name) for _, _, clip, name in sorted(turns)] + [(clip, "") for clip in unlabelled]


def _mixed(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda clip: seed_for("faces", clip))[:COLUMNS]


def _tile(store: FeatureStore, clip: str, label: str, looked: bool) -> Tile:
    frames = store.get(clip, "frames")
    return Tile(picture=frames[len(frames) // 2], label=label, face=not looked or bool(store.get(clip, "face")[0]))


def _title(store: FeatureStore, clips: int, speakers: int) -> str:
    of = f"{clips} clips of {speakers} speakers" if clips > speakers else f"{clips} clips of unknown speakers"
    counts = store.facts["counts"]
    if "clips" not in counts:
        return f"{of}, not cut to faces"
    shares = [
        f"{counts[f'{unit}_with_face']} of {counts[unit]} {unit} ({counts[f'{unit}_with_face'] / counts[unit]:.1%})"
        for unit in ("clips", "frames")
        if unit in counts
    ]
    return f"{of}; {store.settings['params']['detector']} found a face in {', '.join(shares)}"


def save(file: Path, sheets: Iterable[Sheet]) -> None:
    """Draw the sheets below each other; tiles without a face are crossed out. Without a sheet the picture says so."""
    drawn = [of for of in sheets if of.rows]
    heights = [len(of.rows) * INCHES + 0.45 for of in drawn] or [1.0]
    with canvas.picture(file, COLUMNS * INCHES + 1.3, sum(heights)) as figure:
        axes = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        if not drawn:
            axes[0].set_axis_off()
            axes[0].text(0.5, 0.5, "no clip has a picture", ha="center", va="center", color=canvas.GREY)
        for axis, of in zip(axes, drawn, strict=False):
            _draw(axis, of)


def _draw(axis: Axes, of: Sheet) -> None:
    step = TILE + GAP
    whole = np.full((len(of.rows) * step, COLUMNS * step, 3), BEYOND, np.uint8)
    for row, tiles in enumerate(of.rows.values()):
        for column, tile in enumerate(tiles):
            top, left = row * step, column * step
            whole[top : top + TILE, left : left + TILE] = _sized(tile.picture)
            box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
            if tile.label:
                place = (left + TILE / 2, top + 1)  # above the face: the mouth matters
                axis.text(*place, tile.label, fontsize=5.5, ha="center", va="top", bbox=box)
            if not tile.face:
                for ends in ((top, top + TILE), (top + TILE, top)):
                    axis.plot([left, left + TILE], ends, color="white", linewidth=2.6)
                    axis.plot([left, left + TILE], ends, color="black", linewidth=1.4)
    axis.imshow(whole, interpolation="nearest")
    axis.grid(False)
    axis.set_xticks([])
    axis.set_yticks([row * step + TILE / 2 for row in range(len(of.rows))], list(of.rows), fontsize=7)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(of.title, fontsize=7.5, loc="left")


def _sized(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [H, H, 3] as [TILE, TILE, 3]."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.BOX))
