"""What the page shows of a prediction: the values of `predict`, and no more attention than a screen has pixels."""

from pathlib import Path

import numpy as np
import pytest
from trained_project import main

from avemotion.demo import answers
from avemotion.prediction.predictor import load, read
from commands import predict


@pytest.fixture(scope="module")
def predictor(trained):
    return load(trained / "data/models", "cpu")


def test_the_files_are_those_of_the_command(trained_here, predictor, capsys):
    files = answers.files(predictor.windows(read("c1.mov")), predictor)
    assert [Path(name).stem for name in files] == ["c1"] * 4
    for name, content in files.items():
        main(predict, "c1.mov", "--format", Path(name).suffix[1:].lower())
        assert content.rstrip("\n") == capsys.readouterr().out.rstrip("\n")


def test_thin_attention_has_the_same_mean(trained, predictor, monkeypatch):
    prediction = predictor.windows(read(trained / "c1.mov"))
    whole = answers.shown(prediction, predictor.models)["recording"]["windows"][0]["attention"]
    monkeypatch.setattr(answers, "POINTS", 10)
    thin = answers.shown(prediction, predictor.models)["recording"]["windows"][0]["attention"]
    assert set(whole) == set(thin) == {"video_to_audio", "audio_to_video", "prosody_to_speech"}
    for name in ("video_to_audio", "prosody_to_speech"):
        long, short = whole[name], thin[name]
        count = len(long["weights"])
        step = -(-count // 10)
        assert count == long["steps"] == short["steps"] > 10 >= len(short["weights"])
        for key in ("weights", "seconds"):
            expected = [np.mean(long[key][i : i + step]) for i in range(0, count, step)]
            assert short[key] == pytest.approx(expected)


def test_faces_are_null_where_the_models_look_for_none(trained, predictor):
    shown = answers.shown(predictor.windows(read(trained / "c1.mov")), predictor.models)
    assert [window["face"] for window in shown["recording"]["windows"]] == [None]
    assert shown["models"]["targets"] == ["valence", "arousal"]
