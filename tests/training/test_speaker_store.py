"""Rows standardised by speaker, against hand arithmetic and scikit-learn."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from avemotion.datasets.memory_store import MemoryStore
from avemotion.datasets.speaker_store import SpeakerStore
from avemotion.formats.feature_store import CLEAN

SPEAKERS = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b"}


@pytest.fixture
def store() -> MemoryStore:
    rng = np.random.default_rng(0)
    rows = {}
    for k, clip in enumerate(SPEAKERS):
        speech = rng.normal(1000 * k, 1 + k, size=(3 + k, 4)).astype(np.float32)
        rows[clip] = {CLEAN: {"speech": speech, "prosody": np.full((1, 2), [k, 7.1], np.float32)}}
        rows[clip]["snr_5"] = {"speech": speech + 1, "prosody": np.zeros((1, 2), np.float32)}
    return MemoryStore({**rows, "a3": None}, {"settings": {}, "hop_seconds": 0.02})


def test_by_hand(store):
    found = SpeakerStore(store, ["prosody"], SPEAKERS)
    # a: 0 and 1, mean .5, deviation .5; b: 3 and 4. The second feature is constant.
    assert found.get("a1", "prosody").tolist() == [[-1, 0]] and found.get("b2", "prosody").tolist() == [[1, 0]]
    assert found.get("a1", "speech") is store.get("a1", "speech")  # not asked for


def test_sequences_as_scikit_learn_has_them(store):
    found = SpeakerStore(store, ["speech"], SPEAKERS)
    for clips in (["a1", "a2"], ["b1", "b2"]):
        scaler = StandardScaler().fit(np.concatenate([store.get(clip, "speech") for clip in clips]).astype(float))
        for clip in clips:
            assert found.get(clip, "speech").dtype == np.float32
            np.testing.assert_allclose(
                found.get(clip, "speech"), scaler.transform(store.get(clip, "speech")), atol=1e-4
            )
            noisy = scaler.transform(store.get(clip, "speech", "snr_5"))  # by the statistics of the clean view
            np.testing.assert_allclose(found.get(clip, "speech", "snr_5"), noisy, atol=1e-4)


def test_padding_and_clips_that_are_not_counted_change_no_statistics():
    mel = np.array([[1.0, 4.0], [3.0, 8.0], [99.0, 99.0]], np.float32)  # the last row is padding
    rows = {"a1": {CLEAN: {"mel": mel, "length": np.array([2], np.int32)}}}
    rows["a2"] = {CLEAN: {"mel": mel + 50, "length": np.array([3], np.int32)}}
    store = SpeakerStore(MemoryStore(rows, {}), ["mel"], {"a1": "a", "a2": "a"}, counted=["a1"])
    # Mean 2 and 6, deviation 1 and 2.
    assert store.get("a1", "mel").tolist() == [[-1, -1], [1, 1], [97, 46.5]]
    assert store.get("a2", "mel")[0].tolist() == [49, 24]


def test_a_gain_and_an_offset_of_a_speaker_change_nothing(store):
    moved = {
        clip: {CLEAN: {"speech": store.get(clip, "speech") * np.float32(2) + np.float32(3)}}
        for clip in SPEAKERS
        if clip != "a3"
    }
    one, other = (SpeakerStore(of, ["speech"], SPEAKERS) for of in (store, MemoryStore(moved, {"settings": {}})))
    np.testing.assert_allclose(one.get("b1", "speech"), other.get("b1", "speech"), atol=1e-3)


def test_it_is_a_store_as_the_other(store):
    found = SpeakerStore(store, ["speech"], SPEAKERS)
    assert (found.arrays, found.views, found.missing) == (["speech", "prosody"], [CLEAN, "snr_5"], ["a3"])
    assert found.dim("speech") == (4,) and found.length("b2", "speech") == 7 and found.length("a3", "speech") == 0
    assert found.get("a3", "speech").shape == (0, 4) and found.facts["hop_seconds"] == 0.02
