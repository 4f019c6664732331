"""Noisy views: the asked signal-to-noise ratio, whatever the noise, and the same for every extractor."""

import hashlib

import numpy as np
import pytest
import soundfile
from recordings import extract, voice, write_params

from avemotion.features.parts import noise
from avemotion.system.media_error import MediaError
from stages import features


def db(power):
    return 10 * np.log10(power)


@pytest.mark.parametrize("recording", [None, 0.3, 5.0])
def test_noise_has_the_asked_signal_to_noise_ratio(recording):
    if recording:
        noise.RECORDING.parent.mkdir(parents=True)
        sound = np.random.default_rng(3).uniform(-0.1, 0.1, round(recording * 16000))
        soundfile.write(noise.RECORDING, sound, 16000, subtype="FLOAT")
    noise._recording.cache_clear()
    views = noise.configure(write_params({"views.emotion": [20, 7.5]}), "emotion")
    clean = voice(2, 130, 0).astype(np.float32)
    made = views.make(clean, "clip")
    assert views.names == ["clean", "snr_20", "snr_7_5"]
    if recording:
        digest = hashlib.blake2b(noise.RECORDING.read_bytes(), digest_size=16).hexdigest()
        assert views.source == f"data/Noise/noise.wav {digest[:12]}"
    else:
        assert views.source == "gaussian"
    np.testing.assert_array_equal(made[0], clean)
    added = made[1:].astype(np.float64) - clean
    ratio = db((clean.astype(np.float64) ** 2).sum() / (added**2).sum(1))
    np.testing.assert_allclose(ratio, [20, 7.5], atol=0.01)
    if recording:  # a stretch of the recording, scaled
        start = np.random.default_rng(noise.seed_for(0, "clip", "20dB")).integers(
            max(1, len(sound) - 32000 + 1) if len(sound) >= 32000 else len(sound)
        )
        expected = np.take(sound, np.arange(start, start + 32000), mode="wrap")
        assert np.corrcoef(added[0], expected)[0, 1] > 0.999
    np.testing.assert_array_equal(views.make(clean, "clip"), made)
    assert np.abs(views.make(clean, "other")[1] - made[1]).max() > 1e-3
    other_seed = noise.configure(write_params({"views.emotion": [20], "views.seed": 1}), "emotion")
    assert np.abs(other_seed.make(clean, "clip")[1] - made[1]).max() > 1e-3


def test_beyond_the_first_minute_the_noise_is_the_same_whatever_is_read():
    noise._recording.cache_clear()
    views = noise.NoiseViews(snrs=(10.0,), seed=0, recording="")
    clean = voice(61, 130, 0).astype(np.float32)
    minute = round(noise.MEASURED * 16000)
    clean[minute:] *= 50  # heard, but not measured
    longer, shorter = views.make(clean, "clip"), views.make(clean[:minute], "clip")
    np.testing.assert_allclose(longer[:, :minute], shorter, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(16000), "noise.wav: silent; give 0.1 s of noise or more, or remove it"),
        (np.full(1, 0.5), "noise.wav: 0.0001 s long; give 0.1 s of noise"),
        (np.zeros(0), "noise.wav: holds no sound; repair or remove the file, or remove it: the noise is then Gaussian"),
        (np.full(16000, np.nan), "noise.wav: holds NaN or infinite samples"),
        (None, r"noise.wav: cannot be read as sound"),
    ],
)
def test_noise_that_is_none_stops_the_stage_whatever_the_share_of_rejects(samples, message):
    noise.RECORDING.parent.mkdir(parents=True)
    if samples is None:
        noise.RECORDING.write_bytes(b"no recording")
    else:
        soundfile.write(noise.RECORDING, samples, 16000, subtype="FLOAT")
    noise._recording.cache_clear()
    with pytest.raises(ValueError, match=message) as raised:
        extract("mel", {"a": voice(1, 130, 0)}, {"views.emotion": [20], "manifest.max_rejected": 1.0})
    assert not isinstance(raised.value, MediaError)


def test_noise_with_long_silence_is_used_where_it_sounds():
    noise.RECORDING.parent.mkdir(parents=True)
    sound = np.zeros(160000)
    sound[-800:] = np.random.default_rng(0).uniform(-0.5, 0.5, 800)
    soundfile.write(noise.RECORDING, sound, 16000, subtype="FLOAT")
    noise._recording.cache_clear()
    views = noise.NoiseViews(snrs=(10.0,), seed=0, recording="any")
    clean = voice(0.5, 130, 0).astype(np.float32)
    for clip in "abcdef":
        added = views.make(clean, clip)[1].astype(np.float64) - clean
        assert db((clean.astype(np.float64) ** 2).sum() / (added**2).sum()) == pytest.approx(10, abs=0.01)


def test_a_noise_recording_changes_the_extractor():
    before = features.configure(write_params(), "mel", "emotion").extractor
    noise.RECORDING.parent.mkdir(parents=True)
    soundfile.write(noise.RECORDING, np.ones(100) * 0.1, 16000)
    assert features.configure(write_params(), "mel", "emotion").extractor != before
    with pytest.raises(ValueError, match=r"views\.emotion is \[5\.0, 5\.0\]; give each SNR once"):
        noise.configure(write_params({"views.emotion": [5, 5]}), "emotion")


def test_a_recording_that_an_experiment_lacks_is_not_replaced_by_gaussian_noise(tmp_path, monkeypatch):
    """`dvc exp run --temp` copies what git tracks; an untracked recording stays behind."""
    copy = tmp_path / "project/.dvc/tmp/exps/standalone/tmpabc"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert noise.configure(write_params({"views.emotion": [20]}), "emotion").source == "gaussian"
    left = tmp_path / "project/data/Noise/noise.wav"
    left.parent.mkdir(parents=True)
    left.touch()
    with pytest.raises(ValueError, match=rf"noise\.wav: not in this copy of the project: {left} exists, .*git add -f"):
        noise.configure(write_params({"views.emotion": [20]}), "emotion")
    assert noise.configure(write_params({"views.emotion": []}), "emotion").snrs == ()
