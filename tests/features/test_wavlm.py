"""WavLM's states in the cache: those of the model, and its last layers continue from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import extract, voice, write_params

from avemotion.features.parts.hidden_states import HiddenStates
from avemotion.media.waveforms import read_waveform
from avemotion.models.speech.pretrained import load
from avemotion.models.speech.top_layers import TopLayers
from stages import features

ROOT = Path("corpus")


def test_wavlm_equals_the_model_and_its_top_layers_continue_from_the_boundary():
    waveforms = {"a": voice(1.3, 110, 0), "b": voice(0.7, 220, 1), "c": voice(0.02, 220, 2)}
    extractor, found = extract("wavlm", waveforms)
    model = load("tiny")
    with torch.no_grad():
        direct = model(torch.from_numpy(read_waveform(ROOT / "a.wav"))[None]).last_hidden_state[0]
    views = {clip: views for clip, (views, _) in found.items()}
    assert list(views["a"]) == extractor.views == ["clean", "snr_20", "snr_5"]
    torch.testing.assert_close(torch.from_numpy(views["a"]["clean"]["last"]), direct, rtol=1e-5, atol=1e-5)
    assert np.abs(views["a"]["snr_5"]["last"] - views["a"]["clean"]["last"]).max() > 0.01
    assert len(views["c"]["clean"]["last"]) == 1  # shorter than the receptive field: one frame

    lengths = [len(views[clip]["clean"]["last"]) for clip in "abc"]
    boundary = torch.zeros(3, max(lengths), model.config.hidden_size)
    for row, clip in enumerate("abc"):
        boundary[row, : lengths[row]] = torch.from_numpy(views[clip]["clean"]["boundary"])
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        last = TopLayers.from_model(model, 2).eval()(boundary, mask)
    for row, clip in enumerate("abc"):
        expected = torch.from_numpy(views[clip]["clean"]["last"])
        torch.testing.assert_close(last[row, : lengths[row]], expected, rtol=1e-5, atol=1e-5)


def test_wavlm_cut_dtype_and_no_trained_layers():
    changes = {"features.wavlm.max_seconds": 0.5, "features.wavlm.dtype": "float16", "speech.unfreeze_layers": 0}
    _, found = extract("wavlm", {"a": voice(1.3, 110, 0)}, changes, role="affect")
    views, counts = found["a"]
    assert counts["cut"] == 1 and list(views) == ["clean"]
    assert views["clean"]["last"].dtype == np.float16 and len(views["clean"]["last"]) == (8000 - 940) // 320 + 1
    np.testing.assert_array_equal(views["clean"]["boundary"], views["clean"]["last"])


@pytest.mark.parametrize("length", [0.7, 1.3])
def test_wavlm_of_a_fixed_length_is_that_of_the_cut_or_padded_waveform(length):
    _, found = extract("wavlm", {"a": voice(length, 110, 0)}, {"features.wavlm.seconds": 1.0}, role="affect")
    views, counts = found["a"]
    waveform = torch.zeros(1, 16000)
    sound = torch.from_numpy(read_waveform(ROOT / "a.wav"))[:16000]
    waveform[0, : len(sound)] = sound
    with torch.no_grad():
        direct = load("tiny")(waveform).last_hidden_state[0]
    assert len(direct) == (16000 - 940) // 320 + 1 and counts["cut"] == (length > 1)
    torch.testing.assert_close(torch.from_numpy(views["clean"]["last"]), direct, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_wavlm_layers_stored_besides_are_the_models_own(trained):
    changes = {"features.wavlm.layers": [0, 2, 3], "features.wavlm.dtype": "float32", "speech.unfreeze_layers": trained}
    _, found = extract("wavlm", {"a": voice(0.7, 110, 0)}, changes, role="affect")
    arrays = found["a"][0]["clean"]
    with torch.no_grad():
        whole = load("tiny")(torch.from_numpy(read_waveform(ROOT / "a.wav"))[None], output_hidden_states=True)
    assert arrays["layers"].shape == (len(arrays["last"]), 3, 128)
    for column, layer in enumerate((0, 2, 3)):
        expected = whole.hidden_states[layer][0].numpy()
        np.testing.assert_allclose(arrays["layers"][:, column], expected, rtol=1e-5, atol=1e-5)
    if trained:
        np.testing.assert_allclose(arrays["boundary"], whole.hidden_states[4 - trained][0], rtol=1e-5, atol=1e-5)


def test_wavlm_layers_must_exist():
    with pytest.raises(ValueError, match=r"features\.wavlm\.layers names 4, but the model has 4 layers.*give 0 to 3"):
        extract("wavlm", {"a": voice(0.7, 110, 0)}, {"features.wavlm.layers": [1, 4]}, role="affect")
    for layers in ([2, 1], [1, 1], [-1]):
        with pytest.raises(ValueError, match=r"features\.wavlm\.layers is .*give numbers from 0 up, ascending"):
            features.configure(write_params({"features.wavlm.layers": layers}), "wavlm", "affect")


def test_large_models_hear_normalised_waveforms():
    model = load("tiny")
    quiet = torch.from_numpy(voice(1, 110, 0)).float()[None]
    (normalised,), (louder,) = (HiddenStates(model, [4], normalize=True)([x]) for x in (quiet, 3 * quiet + 0.2))
    torch.testing.assert_close(normalised[4], louder[4], rtol=1e-3, atol=1e-3)
    (plain,) = HiddenStates(model, [4], normalize=False)([quiet])
    assert not torch.allclose(plain[4], normalised[4], atol=0.05)
