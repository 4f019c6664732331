"""Speaker embeddings."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import extract, voice, write_params

from avemotion.features import speaker
from avemotion.media.waveforms import read_waveform

ROOT = Path("corpus")


def test_statistics_embedding_tells_voices_apart_and_ignores_loudness():
    def through(filter_, seed):  # a vocal tract of its own
        return np.convolve(voice(2, 120, seed), filter_)[:32000]

    one, two = np.array([1, -0.9, 0.5]), np.array([1, 0.2, -0.6])
    sounds = {"a": through(one, 1), "b": 0.3 * through(one, 2), "c": through(two, 3)}
    _, found = extract("speaker", sounds)
    a, b, c = (found[clip][0]["clean"]["embedding"][0] for clip in "abc")
    assert a.shape == (192,) and np.linalg.norm(a) == pytest.approx(1, abs=1e-6)
    assert a @ b > a @ c + 0.02


def test_xvector_and_ecapa(tmp_path, monkeypatch):
    from transformers import WavLMConfig, WavLMForXVector

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = WavLMForXVector(WavLMConfig(**sizes, conv_dim=(16,) * 7, num_conv_pos_embeddings=8)).eval()
    model.save_pretrained(tmp_path / "sv")
    source = {"features.speaker.model": "xvector", "features.speaker.source": str(tmp_path / "sv")}
    _, found = extract("speaker", {"a": voice(1.2, 120, 0)}, source)
    with torch.no_grad():
        direct = model(torch.from_numpy(read_waveform(ROOT / "a.wav"))[None]).embeddings[0]
    rows = found["a"][0]["clean"]["embedding"]
    assert rows.shape == (1, 512)
    np.testing.assert_allclose(rows[0], direct / direct.norm(), atol=1e-6)

    monkeypatch.setitem(sys.modules, "speechbrain.inference.speaker", None)  # as if not installed
    with pytest.raises(ValueError, match=r"needs the optional package speechbrain; run with"):
        extract("speaker", {"a": voice(1, 120, 0)}, {"features.speaker.model": "ecapa"})
    with pytest.raises(ValueError, match=r"features\.speaker\.source is 'x', but the statistics"):
        write_params({"features.speaker.source": "x"}) and speaker.configure(Path("params.yaml"), "emotion")
