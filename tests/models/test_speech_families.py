"""Speech encoders of every family, as their authors publish them: loaded whole, extracted, trained, or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import speech_toys
import torch
import transformers
from project_params import params_with
from recordings import extract, voice

from avemotion.media.waveforms import read_waveform
from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.speech import pretrained
from avemotion.models.speech.families import FAMILIES
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params import whole
from avemotion.params.training.speech import SpeechParams
from avemotion.training.emotion import audio_input

PREPROCESSOR = {"do_normalize": True, "feature_size": 1, "padding_value": 0.0, "sampling_rate": 16000}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, as working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def publish(tmp_path) -> Callable[..., Path]:
    """A folder with a model, and with its preprocessor_config.json unless that is None."""

    def published(model: Any, preprocessor: dict[str, Any] | None = PREPROCESSOR) -> Path:
        folder = tmp_path / f"published {model.config.model_type}"
        model.save_pretrained(folder)
        if preprocessor is not None:
            (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
        return folder

    return published


@pytest.mark.parametrize("name", speech_toys.NAMES)
def test_every_tensor_is_the_checkpoints_and_a_head_is_left_out(publish, capsys, name):
    """huggingface/transformers#32433: loaded as another family, weights stay random under a warning."""
    own = speech_toys.make(name)
    headed = getattr(transformers, f"{FAMILIES[own.config.model_type].prefix}ForCTC")(own.config)
    getattr(headed, headed.base_model_prefix).load_state_dict(own.state_dict())
    folder = publish(headed)
    loaded = pretrained.load(str(folder))
    assert type(loaded) is type(own) and not loaded.training
    assert "lm_head.bias, lm_head.weight left out, no part of" in capsys.readouterr().err
    for key, value in own.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], value, rtol=0, atol=0)
    assert pretrained.known_sizes(str(folder)) == (5, 48)


@pytest.mark.parametrize("name", ["wav2vec2 large", "hubert base", "unispeech-sat base", "data2vec-audio base"])
@pytest.mark.parametrize("normalised", [True, False])
def test_the_cache_has_the_models_states_and_the_top_layers_continue_from_them(publish, name, normalised):
    own = speech_toys.make(name)
    folder = publish(own, PREPROCESSOR | {"do_normalize": normalised})
    changes = {"speech.model": str(folder), "features.wavlm.layers": [0, 2]}
    _, found = extract("wavlm", {"a": voice(1.3, 110, 0), "b": voice(0.7, 220, 1)}, changes, role="affect")
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)
    for clip in "ab":
        arrays = {key: torch.from_numpy(rows) for key, rows in found[clip][0]["clean"].items()}
        waveform = prepare(read_waveform(Path(f"corpus/{clip}.wav")), sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            states = own(waveform.input_values, output_hidden_states=True)
            mask = torch.ones(1, len(arrays["last"]), dtype=torch.bool)
            continued = TopLayers.from_model(own, 2).eval()(arrays["boundary"][None], mask)
        torch.testing.assert_close(arrays["last"], states.last_hidden_state[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(arrays["boundary"], states.hidden_states[3][0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(arrays["layers"][:, 1], states.hidden_states[2][0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(continued[0], arrays["last"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", speech_toys.NAMES)
def test_an_audio_model_starts_from_the_pretrained_layers_and_learns(publish, name):
    own = speech_toys.make(name)
    speech = SpeechParams(model=str(publish(own)), unfreeze_layers=2)
    torch.manual_seed(0)
    model = build_audio(2, {"encoder": "wavlm", "model": speech.model, "unfreeze_layers": 2})
    audio_input.start(model, speech, ())
    pretrained_layers = TopLayers.from_model(own, 2).state_dict()
    for key, value in model.top.state_dict().items():
        torch.testing.assert_close(value, pretrained_layers[key], rtol=0, atol=0)
    cached = audio_input.cached_parameters(model, speech)
    table = sum(p.numel() for p in model.top.parameters() if not p.requires_grad)  # of the first layer, copied
    assert cached + sum(p.numel() for p in model.top.parameters()) == sum(p.numel() for p in own.parameters())
    assert bool(table) == (own.config.model_type == "wavlm")

    states, mask = torch.randn(8, 9, 48), torch.ones(8, 9, dtype=torch.bool)
    truth = torch.arange(8) % 2
    optimizer = torch.optim.Adam(model.encoder_parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model.eval()(states, mask), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def small(kind: str, **fields: Any) -> Any:
    """A model of any type; its weights are never read."""
    config = transformers.AutoConfig.for_model(kind, **fields)
    return type("Model", (), {"config": config, "save_pretrained": config.save_pretrained})()


REFUSED = {
    "log-mels of 30 s": (
        lambda: small("whisper"),
        PREPROCESSOR,
        r"model_type whisper \(its encoder takes a log-mel pad",
    ),
    "filterbanks": (
        lambda: small("wav2vec2-bert"),
        PREPROCESSOR,
        r"model_type wav2vec2-bert \(it takes log-mel filter",
    ),
    "no audio": (lambda: small("bert"), PREPROCESSOR, r"model_type bert; give one of WavLM, wav2vec 2\.0, HuBERT, "),
    "an adapter behind": (lambda: small("wav2vec2", add_adapter=True), PREPROCESSOR, r"has add_adapter True; adapters"),
    "adapters inside": (
        lambda: small("wav2vec2", adapter_attn_dim=16),  # facebook/mms-1b-all
        PREPROCESSOR,
        r"has adapter_attn_dim 16; adapters are not computed here, so give a model without one",
    ),
    "another rate": (
        lambda: small("hubert"),
        PREPROCESSOR | {"sampling_rate": 8000},
        r"whose preprocessor_config\.json has sampling_rate 8000; sound is read at 16000 Hz, so give a model",
    ),
    "another rate of WavLM": (lambda: small("wavlm"), PREPROCESSOR | {"sampling_rate": 48000}, r"sampling_rate 48000;"),
    "not said whether normalised": (
        lambda: small("hubert"),
        None,
        r"its preprocessor_config\.json, which says whether waveforms are normalised, is not beside config\.json",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line_before_any_output_is_deleted(publish, tmp_path, monkeypatch, fault):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model, preprocessor, message = REFUSED[fault]
    folder = str(publish(model(), preprocessor))
    with pytest.raises(ValueError, match=rf"^speech\.model is '.*{message}") as raised:
        pretrained.load(folder)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match=message):
        whole.refuse(whole.read(params_with(tmp_path, {"speech.model": folder})))


def test_wavlm_takes_normalised_waveforms_by_its_layout_and_needs_no_preprocessor_config(publish):
    for style, expected in (("base", False), ("large", True)):
        own = speech_toys.make(f"wavlm {style}")
        assert pretrained.normalizes_input(str(publish(own, None)), own.config) == expected
        pretrained.load(str(publish(own, None)))


def test_an_unreadable_config_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(
        ValueError, match=r"speech\.model is .*the folder holds no speech model \(a readable config\.json"
    ):
        pretrained.known_sizes(str(tmp_path))


def test_a_model_of_normalised_waveforms_ignores_loudness(publish):
    """The loudness of a recording changes nothing where waveforms are normalised."""
    folder = publish(speech_toys.make("hubert base"))
    sound = voice(0.7, 110, 0)
    changes = {"speech.model": str(folder)}
    _, found = extract("wavlm", {"a": sound, "b": 0.25 * sound}, changes, role="affect")
    quiet, loud = (found[clip][0]["clean"]["last"] for clip in "ba")
    np.testing.assert_allclose(quiet, loud, rtol=1e-3, atol=1e-3)
