"""Logits relative to the speaker, by hand and by invariances."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from avemotion.scoring import speaker_logits
from avemotion.scoring.shares import log_shares

LOGITS = np.array([[4.0, 0.0, 2.0], [2.0, 0.0, 4.0], [9.0, 0.0, 0.0], [3.0, 6.0, 0.0], [1.0, 0.0, 5.0]])
SPEAKERS = ["a", "a", "b", "b", "c"]


def test_by_hand():
    found = speaker_logits.normalised(LOGITS, SPEAKERS, "mean")
    # Rows minus their means: (2, -2, 0), (0, -2, 2): mean (1, -2, 1). (6, -3, -3), (0, 3, -3): mean (3, 0, -3).
    assert found[:4].tolist() == [[1, 0, -1], [-1, 0, 1], [3, -3, 0], [-3, 3, 0]]
    scaled = speaker_logits.normalised(LOGITS, SPEAKERS, "mean_std")
    assert scaled[:4].tolist() == [[1, 0, -1], [-1, 0, 1], [1, -1, 0], [-1, 1, 0]]  # deviations 1, -, 1 and 3, 3, -


def test_a_single_clip_keeps_its_prediction():
    for how in ("mean", "mean_std"):
        assert speaker_logits.normalised(LOGITS, SPEAKERS, how)[4].argmax() == LOGITS[4].argmax()


@pytest.mark.parametrize("how", ["mean", "mean_std"])
def test_probabilities_are_enough_and_a_constant_of_the_speaker_changes_nothing(how):
    rng = np.random.default_rng(0)
    logits, speakers = rng.normal(size=(40, 6)), np.repeat(["a", "b"], 20)
    expected = speaker_logits.normalised(logits, speakers, how)
    for same in (
        log_softmax(logits, axis=1),
        log_shares(softmax(logits, axis=1)),
        logits + np.where(speakers == "a", 3.0, -1.0)[:, None] * rng.normal(size=6),  # the speaker's own bias
    ):
        np.testing.assert_allclose(speaker_logits.normalised(same, speakers, how), expected, atol=1e-9)


def test_a_bias_of_each_speaker_costs_no_recall():
    """Two classes; the model leans to one of them by speaker, by more than it says of the emotion."""
    truth = np.tile([0, 1], 20)
    speakers = np.repeat(["a", "b"], 20)
    logits = np.stack([1.0 - truth, truth], 1) + np.where(speakers == "a", 5.0, -5.0)[:, None] * [1, 0]
    assert (logits.argmax(1) == truth).mean() == 0.5
    assert (speaker_logits.normalised(logits, speakers, "mean").argmax(1) == truth).all()


def test_none_and_a_wrong_number_of_speakers():
    unchanged = speaker_logits.normalised(LOGITS, SPEAKERS, "none")
    np.testing.assert_allclose(softmax(unchanged, axis=1), softmax(LOGITS, axis=1))
    with pytest.raises(ValueError, match="logits have 5 rows, speakers 2"):
        speaker_logits.normalised(LOGITS, ["a", "b"], "mean")


def test_statistics_of_other_clips_of_the_speaker():
    of = speaker_logits.statistics(LOGITS[:2], "mean")  # (1, -2, 1) by hand, as above
    assert of.relative([[3.0, 0.0, 0.0]]).tolist() == [[1, 1, -2]]
    assert speaker_logits.statistics(LOGITS[:1], "mean_std").relative(LOGITS[:1]).tolist() == [[2, -2, 0]]


def test_a_share_of_zero_is_finite():
    assert np.isfinite(log_shares([[1.0, 0.0]])).all()


def test_warnings_name_the_speakers():
    emotions = ["angry", "happy", "sad", "calm", "fear"]
    assert speaker_logits.warnings(["a"] * 5, emotions) == []
    assert speaker_logits.warnings(["a"] * 4, emotions[:4]) == ["fewer than 5 clips: a (4)"]
    assert speaker_logits.warnings(["a"] * 5, ["sad"] * 5) == ["fewer than 4 emotions: a (1)"]
    many = speaker_logits.warnings(list("abcde"), ["sad"] * 5)
    assert many[0] == "fewer than 5 clips: a (1), b (1), c (1) and 2 others"
