"""Predictions as subtitles and annotations, read back by other programs' parsers."""

import csv
import io
from pathlib import Path

import av
import numpy as np
import pytest

from avemotion.prediction import annotations
from avemotion.prediction.recording import Recording
from avemotion.prediction.windows import Prediction, Window

HOUR = 3600.0


def prediction(*windows: Window, classes: tuple[str, ...] = ('an "odd" <name>', "happy")) -> Prediction:
    of = Recording(name="a, b.mp4", path=Path("/a, b.mp4"), waveform=None, picture_start=0, picture_end=0, notes=[])
    return Prediction(
        recording=of, windows=list(windows), classes=list(classes), targets=["valence", "arousal"], notes=["1 --> 2"]
    )


def window(start: float, end: float, emotion: list[float] | None, affect: list[list[float]] | None) -> Window:
    return Window(
        start=start,
        end=end,
        sound=affect is not None,
        picture=emotion is not None,
        face=None if emotion is None else True,
        emotion=None if emotion is None else np.array(emotion),
        gate=None if emotion is None else 0.25,
        affect=None if affect is None else np.array(affect),
        attention={},
    )


@pytest.fixture
def overlapping() -> Prediction:
    return prediction(
        window(0.0, 2.0, [0.2, 0.8], [[1.0, 4.0], [3.0, 5.0]]),
        window(1.0, 3.0, None, None),
        window(2.0, HOUR + 61.2345, [0.9, 0.1], None),
    )


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_as_ffmpeg_reads_them(overlapping, tmp_path, form):
    file = tmp_path / f"a.{form}"
    file.write_text(getattr(annotations, form)(overlapping), encoding="utf-8")
    with av.open(str(file)) as container:
        base = container.streams.subtitles[0].time_base
        packets = [packet for packet in container.demux() if packet.pts is not None]
        cues = [(float(p.pts * base), float((p.pts + p.duration) * base), bytes(p).decode()) for p in packets]
    odd = {"srt": 'an "odd" <name> 90%', "vtt": 'an "odd" &lt;name&gt; 90%'}[form]
    # Without a prediction there is no subtitle; one ends where the next window starts. 3661.2345 s is 1:01:01.234.
    assert cues == [
        (0.0, 1.0, "happy 80%\nvalence 2.00 ± 1.00, arousal 4.50 ± 0.50"),
        (2.0, 3661.234, odd),
    ]


def test_a_text_grid_as_praat_reads_it(overlapping, tmp_path):
    from praatio import textgrid

    file = tmp_path / "a.TextGrid"
    file.write_text(annotations.textgrid(overlapping), encoding="utf-8")
    grid = textgrid.openTextgrid(str(file), includeEmptyIntervals=True)
    assert grid.tierNames == ("emotion", "probability", "audio share", "valence", "arousal")
    tiers = {name: [tuple(entry) for entry in grid.getTier(name).entries] for name in grid.tierNames}
    end = pytest.approx(HOUR + 61.2345)
    assert tiers["emotion"] == [(0.0, 1.0, "happy"), (1.0, 2.0, ""), (2.0, end, 'an "odd" <name>')]
    assert [label for *_, label in tiers["probability"]] == ["0.800", "", "0.900"]
    assert [label for *_, label in tiers["arousal"]] == ["4.500", "", ""]


def test_a_table_has_every_window_with_its_true_end(overlapping):
    rows = list(csv.DictReader(io.StringIO(annotations.table(overlapping))))
    assert [(row["start"], row["end"]) for row in rows[:2]] == [("0.000000", "2.000000"), ("1.000000", "3.000000")]
    assert {row["file"] for row in rows} == {"a, b.mp4"}
    assert [row["predicted"] for row in rows] == ["happy", "", 'an "odd" <name>']
    assert [row["p_happy"] for row in rows] == ["0.800000", "", "0.100000"]
    assert [row["face"] + row["sound"] + row["picture"] for row in rows] == ["111", "00", "101"]
    assert [row["audio_share"] for row in rows] == ["0.250000", "", "0.250000"]
    assert (rows[0]["valence"], rows[0]["valence_sd"], rows[0]["arousal_sd"]) == ("2.000000", "1.000000", "0.500000")
    assert (rows[2]["valence"], rows[2]["arousal_sd"]) == ("", "")
    without = annotations.table(overlapping, header=False)
    assert annotations.table(overlapping).endswith(without) and not without.startswith("file")


def test_without_any_prediction_there_is_an_empty_file_of_the_form(tmp_path):
    nothing = prediction(window(0.0, 1.0, None, None), classes=())
    assert annotations.srt(nothing) == "" and annotations.vtt(nothing).startswith("WEBVTT\n")
    assert "size = 0" in annotations.textgrid(nothing)
