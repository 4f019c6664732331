"""A microphone in blocks has the windows that its whole recording has, and its own state of the models."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from recordings import voice

from avemotion.demo.microphones import SILENT, Microphones
from avemotion.prediction.predictor import Predictor, load


@pytest.fixture(scope="module")
def predictor(trained):
    return load(trained / "data/models", "cpu")


def recorded(seconds: float, seed: int) -> np.ndarray:
    return np.round(voice(seconds, 150, seed, 48000) * 32767).astype(np.int16)


def test_two_pages_at_once_equal_their_recordings(predictor, monkeypatch):
    # The whole recording has one speaker embedding, a microphone that of the sound so far.
    fixed = predictor.voice(recorded(3.0, 1), rate=48000)
    live = predictor.live
    monkeypatch.setattr(predictor, "live", lambda rate: live(rate, voice=fixed))
    sounds = {"one": recorded(11.0, 1), "two": recorded(11.0, 2)}
    microphones, windows, heard = Microphones(predictor), {page: [] for page in sounds}, {}
    for first in range(0, 11 * 48000, 24000):
        for page, sound in sounds.items():
            heard[page] = microphones.hear(page, 48000, sound[first : first + 24000])
            windows[page] += heard[page]["windows"]
    for page, sound in sounds.items():
        expected = predictor.predict(sound, 48000, voice=fixed)
        assert heard[page]["seconds"] == expected.seconds == 11.0
        answer = microphones.finish(page)
        whole = answer["recording"]["windows"]
        assert windows[page] == whole[:2] and len(whole) == 3
        assert [[w["start"], w["end"]] for w in whole] == expected.windows.tolist()
        for name, values in expected.affect.items():
            assert [w[name]["folds"] for w in whole] == pytest.approx(values, abs=1e-4)
        shares = [[w["emotion"][name] for name in expected.classes] for w in whole]
        assert shares == pytest.approx(expected.emotion, abs=1e-4)
        file = json.loads(answer["files"]["microphone.json"])
        assert file["recordings"][0]["seconds"] == 11.0 and len(file["recordings"][0]["windows"]) == 3
        assert microphones.finish(page) is None


def test_a_page_that_is_gone_is_forgotten(predictor):
    microphones = Microphones(predictor)
    microphones.hear("page", 48000, recorded(3.0, 1))
    microphones.sweep(microphones._recordings["page"].last + SILENT - 1)
    assert microphones.finish("page") is not None
    microphones.hear("page", 48000, recorded(3.0, 1))
    microphones.sweep(microphones._recordings["page"].last + SILENT + 1)
    assert microphones.finish("page") is None


def test_what_the_script_of_the_page_calls(predictor):
    pytest.importorskip("gradio", reason="no gradio: the extra demo is not installed")
    from avemotion.demo.handlers import server_functions

    microphones, sound = Microphones(predictor), recorded(4.5, 1)
    hear, finish = server_functions(microphones)
    answer = hear(["page", 48000, base64.b64encode(sound.astype("<i2").tobytes()).decode()])
    expected = predictor.predict(sound[: 4 * 48000], 48000)
    assert list(answer["windows"][0]["emotion"].values()) == pytest.approx(expected.emotion[0], abs=1e-4)
    assert answer["seconds"] == 4.5 and finish("page")["recording"]["seconds"] == 4.5 and finish("page") is None
    reason = hear(["page", 47999, base64.b64encode(sound.tobytes()).decode()])["reason"]
    assert reason.startswith("rate is 47999; record at a usual rate")


def test_models_that_need_the_whole_recording(predictor):
    by_speaker = Predictor(replace(predictor.models, by_speaker=["prosody"]))
    with pytest.raises(ValueError, match=r"they need all windows of a recording; record first"):
        Microphones(by_speaker).hear("page", 48000, recorded(1.0, 1))
