"""Log-mel spectrograms and peaks against the formula and torchaudio."""

import numpy as np
import torch
import torchaudio
from recordings import extract, voice, write_params

from avemotion.features import mel
from stages import features


def db(power):
    return 10 * np.log10(power)


def test_mel_equals_the_formula():
    waveform = voice(1.7, 130, 0).astype(np.float32)
    _, found = extract("mel", {"a": waveform}, {"views.emotion": []})
    rows, length = found["a"][0]["clean"]["mel"], found["a"][0]["clean"]["length"]
    assert rows.shape == (301, 64) and rows.dtype == np.float32 and found["a"][1] == {"cut": 0}

    padded = np.zeros(48000)
    padded[: len(waveform)] = waveform
    centred = np.pad(padded, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectra = np.stack([np.abs(np.fft.rfft(centred[160 * t : 160 * t + 400] * window)) ** 2 for t in range(301)])
    hertz = np.arange(201) * 40
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 66) / 2595) - 1)
    rising = (hertz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz[:, None]) / np.diff(edges)[1:]
    expected = db(np.maximum(spectra @ np.maximum(0, np.minimum(rising, falling)), 1e-10))
    expected = np.maximum(expected, expected.max() - 80)
    np.testing.assert_allclose(rows, expected, atol=0.02)
    # [1, 64, 301] as the models' papers write it
    transform = torchaudio.transforms.MelSpectrogram(16000, n_fft=400, hop_length=160, n_mels=64)
    reference = torchaudio.transforms.AmplitudeToDB(top_db=80)(transform(torch.from_numpy(padded).float()[None]))
    np.testing.assert_allclose(rows.T[None], reference.numpy(), atol=1e-4)
    assert length.tolist() == [1 + len(waveform) // 160]


def test_mel_cuts_long_recordings_and_says_so():
    long = voice(4, 130, 0)
    _, found = extract("mel", {"a": long, "b": long[:48000]}, {"views.emotion": []})
    assert found["a"][1] == {"cut": 1} and found["b"][1] == {"cut": 0}
    assert found["a"][0]["clean"]["length"] == 301
    np.testing.assert_array_equal(found["a"][0]["clean"]["mel"], found["b"][0]["clean"]["mel"])


def test_peaks_are_the_lowest_and_highest_samples_of_each_hop():
    waveform = voice(4.33, 150, 2).astype(np.float32)  # longer than the spectrogram, not a whole number of hops
    _, found = extract("mel", {"a": waveform}, {"views.emotion": []})
    peaks = found["a"][0]["clean"]["peaks"]
    hops = [waveform[start : start + 160] for start in range(0, len(waveform), 160)]
    expected = np.array([[hop.min(), hop.max()] for hop in hops])
    np.testing.assert_array_equal(peaks, expected.astype(np.float16))


def test_mel_floor_is_each_views_own():
    loud = voice(1, 130, 0).astype(np.float32)
    settings = features.configure(write_params(), "mel", "emotion").extractor.params
    together, _ = mel.log_mels(np.stack([loud * 100, loud]), settings)
    alone, _ = mel.log_mels(loud[None], settings)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)


PEOPLE = {
    **{"trim_db": 38.0, "seconds": None, "n_fft": 1024, "window": 640, "hop": 256, "mels": 80},
    **{"low": 50.0, "high": 8000.0, "top_db": None, "dtype": "float32"},
}


def spoken(before: int, samples: int, after: int) -> np.ndarray:
    """A tone of power 0.02 between noise of power 1e-8, 63 dB below it."""
    rng = np.random.default_rng(0)
    waveform = 1e-4 * rng.standard_normal(before + samples + after)
    waveform[before : before + samples] += 0.2 * np.sin(2 * np.pi * 200 * np.arange(samples) / 16000)
    return waveform.astype(np.float32)


def test_trimming_by_hand():
    # Frames of 400 samples every 160 hold 38 dB below a full one, a share of 1.6e-4, from the first whole period on.
    part = mel.loud_part(spoken(16000, 8000, 4000), 38.0)
    first, last = 16000 // 160 * 160 - 160 * 2, (16000 + 8000 - 1) // 160 * 160
    assert part.start == first - 800 and part.stop == last + 400 + 800
    assert mel.loud_part(spoken(16000, 8000, 4000), 70.0) == slice(0, 28000)  # the noise counts as loud
    assert mel.loud_part(spoken(100, 8000, 100), 38.0) == slice(0, 8200)  # no more than there is
    assert mel.loud_part(np.zeros(5000, np.float32), 38.0) == slice(0, 5000)
    assert mel.loud_part(np.ones(399, np.float32), 38.0) == slice(0, 399)


def test_a_trimmed_spectrogram_of_the_whole_recording_equals_torchaudios():
    """Of each view the part that is loud in the clean one; its place is in `start`, and the peaks are of all."""
    waveform = spoken(16000, 8000, 4000)
    changes = {"features.mel": PEOPLE, "views.emotion": [0]}
    extractor, rows = extract("mel", {"a": waveform, "b": waveform[:30]}, changes)
    part = mel.loud_part(waveform, 38.0)
    transform = torchaudio.transforms.MelSpectrogram(16000, 1024, 640, 256, f_min=50.0, f_max=8000.0, n_mels=80)
    for view, given in zip(("clean", "snr_0"), extractor.noise.make(waveform, "a"), strict=True):
        found = rows["a"][0][view]
        power = transform(torch.from_numpy(given[part]))
        reference = torchaudio.transforms.AmplitudeToDB()(power).T.numpy()  # without a floor below the loudest
        np.testing.assert_allclose(found["mel"], reference, atol=1e-4)
        assert found["length"] == len(found["mel"]) == 1 + (part.stop - part.start) // 256
        assert found["start"] == np.float32(part.start / 16000)
        np.testing.assert_array_equal(found["peaks"], mel.peaks(given, 256))
    assert rows["a"][1] == rows["b"][1] == {"cut": 0} and rows["b"][0]["clean"]["length"] == 1


def test_without_trimming_a_spectrogram_starts_at_0():
    _, rows = extract("mel", {"a": spoken(16000, 8000, 4000)}, {"views.emotion": []})
    assert rows["a"][0]["clean"]["start"] == 0
