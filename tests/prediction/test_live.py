"""A sound while it is recorded: the values of the whole recording."""

import numpy as np
import pytest
from project_params import params_with
from recordings import voice
from trained_project import CHANGES, main

import avemotion
from avemotion.prediction.predictor import Predictor
from stages import va


@pytest.fixture(scope="module")
def predictor(trained) -> Predictor:
    return avemotion.load(trained / "data/models")


def blocks(samples: np.ndarray, seed: int) -> list[np.ndarray]:
    """Parts of any length."""
    places = np.sort(np.random.default_rng(seed).integers(1, len(samples), 9))
    return np.split(samples, places)


def same(windows, result) -> None:
    assert [(of.start, of.end) for of in windows] == [tuple(of) for of in result.windows.tolist()]
    for i, window in enumerate(windows):
        assert window.sound == result.sound[i]
        if window.sound:
            np.testing.assert_allclose(window.emotion, result.emotion[i], atol=1e-5)
            values = np.stack([result.affect[name][i] for name in ("valence", "arousal")], 1)
            np.testing.assert_allclose(window.affect, values, atol=1e-5)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize(("window", "hop"), [(1.0, 1.0), (1.0, 0.4)])
def test_windows_are_those_of_the_whole(predictor, rate, window, hop):
    sound = voice(4.6, 140, 2, rate)
    sound[2 * rate : 3 * rate] = 0.0  # a window without sound; the state goes on after it
    enrolled = predictor.voice(voice(2.0, 120, 5), rate=16000)
    live = predictor.live(rate, window=window, hop=hop, voice=enrolled)
    windows = [of for block in blocks(sound, rate) for of in live(block)] + live.close()
    same(windows, predictor.predict(sound, rate, window=window, hop=hop, voice=enrolled))


def test_integers_in_two_channels_beside_another_recording(predictor):
    sound = (np.stack([voice(3.0, 140, 2, 48000), voice(3.0, 200, 3, 48000)], 1) * 20000).astype(np.int16)
    other = voice(3.0, 300, 4)
    enrolled = predictor.voice(other, rate=16000)
    one, two = predictor.live(48000, window=1.0, voice=enrolled), predictor.live(16000, window=1.0, voice=enrolled)
    found, beside = [], []
    for a, b in zip(blocks(sound, 1), blocks(other, 2), strict=True):
        found += one(a)
        beside += two(b)
    same(found + one.close(), predictor.predict(sound, 48000, window=1.0, voice=enrolled))
    same(beside + two.close(), predictor.predict(other, 16000, window=1.0, voice=enrolled))


def test_a_window_comes_with_its_last_sample_and_a_short_rest_is_left_out(predictor):
    live, sound = predictor.live(16000, window=1.0), voice(1.4, 140, 2)
    assert live(sound[:15999]) == [] and live(sound[:0]) == []
    [window] = live(sound[15999:])
    # Without `voice`, the embedding is that of the sound so far, here of more than the window.
    same([window], predictor.predict(sound[:16000], 16000, window=1.0, voice=predictor.voice(sound, rate=16000)))
    assert live.close() == []
    assert predictor.live(16000).close() == []


def test_models_of_the_whole_recording_are_refused(own):
    params_with(own, CHANGES | {"va.normalise": {"prosody": "speaker", "speech": "none"}})
    main(va)
    with pytest.raises(ValueError, match="need all windows of a recording"):
        avemotion.load().live(16000)


def test_an_odd_rate_is_refused(predictor):
    with pytest.raises(ValueError, match="rate is 44099; record at a usual rate"):
        predictor.live(44099)
