"""The sheet of face crops: which clips it shows, which tiles are crossed out, and no torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from avemotion.formats import feature_store
from avemotion.formats.feature_store import FeatureStore
from avemotion.plots.faces import face_sheet
from avemotion.plots.faces.face_sheet import Sheet, Tile

PARAMS = {"settings": {"params": {"detector": "haar"}}}


def store(folder: Path, clips: dict[str, int | None], counts: dict | None = None) -> FeatureStore:
    """A cache with frames of one grey level per clip, the clip's number; values: 1 = with a face, None = no picture."""
    rows = []
    for i, (clip, face) in enumerate(sorted(clips.items())):
        level = np.full((3, 8, 8, 3), i, np.uint8)
        level[1] += 100  # the middle frame
        arrays = {"frames": level, "face": np.array([face or 0], np.uint8)}
        rows.append((clip, None if face is None else {feature_store.CLEAN: arrays}))
    feature_store.write(folder, [feature_store.CLEAN], rows, PARAMS | {"counts": counts or {}})
    return FeatureStore(folder)


def test_clips_of_every_class_in_turn():
    table = pd.DataFrame(
        {"id": ["a", "b", "c", "d", "e", "f"], "label": ["sad", "joy", "sad", None, "sad", "joy"], "speaker": "s"}
    )
    expected = [("b", "joy"), ("a", "sad"), ("f", "joy"), ("c", "sad"), ("e", "sad"), ("d", "")]
    assert face_sheet.in_turn(table, ["joy", "sad"]) == expected


def test_a_sheet_has_the_middle_frames_of_clips_with_a_picture(tmp_path):
    clips = {"a": 1, "b": 0, "c": None, "d": 1}
    labels = pd.DataFrame({"id": list(clips), "speaker": ["s", "s", "s", "t"], "label": "joy"})
    counts = {"clips": 3, "clips_with_face": 2, "frames": 10, "frames_with_face": 9}
    made = face_sheet.sheet("emotion", store(tmp_path / "one", clips, counts), labels, ["joy"])
    assert {
        speaker: [(int(tile.picture.mean()), tile.face) for tile in tiles] for speaker, tiles in made.rows.items()
    } == {"s": [(100, True), (101, False)], "t": [(103, True)]}
    assert made.title == (
        "emotion: 3 clips of 2 speakers; haar found a face in 2 of 3 clips (66.7%), 9 of 10 frames (90.0%)"
    )
    plain = face_sheet.sheet("affect", store(tmp_path / "two", clips), labels, ["joy"])
    assert plain.title == "affect: 3 clips of 2 speakers, not cut to faces"
    assert all(tile.face for tiles in plain.rows.values() for tile in tiles)


def test_of_unknown_speakers_a_row_is_a_class(tmp_path):
    """Each still is a speaker of its own."""
    clips = {f"p{i:02}": 1 for i in range(30)}
    labels = pd.DataFrame({"id": list(clips), "speaker": list(clips), "label": ["joy", "sad", "joy"] * 10})
    labels.loc[0, "label"] = None
    made = face_sheet.sheet("faces", store(tmp_path / "one", clips), labels, ["sad", "joy", "fear"])
    assert {name: len(tiles) for name, tiles in made.rows.items()} == {"sad": 8, "joy": 8, "no class": 1}
    shown = [int(tile.picture.mean()) - 100 for tile in made.rows["sad"]]
    assert len(set(shown)) == 8 and all(i % 3 == 1 for i in shown) and shown != sorted(shown)
    assert made.title == "faces: 30 clips of unknown speakers, not cut to faces"


def test_of_many_speakers_some_and_of_their_clips_some(tmp_path):
    names = [f"s{i:02}" for i in range(21)]
    clips = {f"{name}_{k:02}": 1 for name in names for k in range(10)}
    labels = pd.DataFrame({"id": list(clips), "speaker": [clip[:3] for clip in clips], "label": "joy"})
    rows = face_sheet.sheet("emotion", store(tmp_path / "one", clips, {}), labels, ["joy"]).rows
    assert list(rows) == ["s00", "s04", "s08", "s12", "s16", "s20"]
    assert {len(tiles) for tiles in rows.values()} == {face_sheet.COLUMNS}


def drawn(folder, *faces):
    tiles = [Tile(picture=np.full((20, 20, 3), 120, np.uint8), label="", face=face) for face in faces]
    face_sheet.save(folder / "faces.png", [Sheet(title="t", rows={"s": tiles})])
    return np.asarray(Image.open(folder / "faces.png").convert("L"), float)


def test_tiles_without_a_face_are_crossed_out(tmp_path):
    plain, crossed = drawn(tmp_path, True, True), drawn(tmp_path, True, False)
    rows, columns = np.nonzero(np.abs(plain - crossed) > 30)
    left, right = columns.min(), columns.max()
    grey = np.abs(plain - 120) < 8
    edges = np.nonzero(grey.any(0))[0]
    assert (edges.min() + edges.max()) / 2 < left + 6  # the second tile alone
    for row, column in ((rows.min() + rows.max()) // 2, (left + right) // 2), (rows.min() + 8, left + 8):
        assert crossed[row - 3 : row + 4, column - 3 : column + 4].min() < 40  # its centre, and near a corner


def test_a_run_without_pictures_has_a_sheet_that_says_so(tmp_path):
    face_sheet.save(tmp_path / "faces.png", [])
    with Image.open(tmp_path / "faces.png") as picture:
        assert picture.width > 300 and len(picture.getcolors(256)) > 2  # white and a text


def test_the_stage_shows_both_roles_and_needs_no_torch(evaluated):
    ask = "import sys; from stages import faces; sys.argv = ['faces']; faces.main(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], cwd=evaluated, capture_output=True, text=True, check=True)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["emotion", "affect", "False"]


def test_the_same_cache_gives_the_same_bytes(evaluated, monkeypatch):
    from stages import faces

    before = (evaluated / "plots/faces.png").read_bytes()
    monkeypatch.chdir(evaluated)
    monkeypatch.setattr("sys.argv", ["faces"])
    faces.main()
    assert (evaluated / "plots/faces.png").read_bytes() == before
