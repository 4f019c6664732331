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
