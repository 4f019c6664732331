"""LoRA on the trained layers of every family: the start, what is trained, the merged weights, learning."""

import importlib.util

import pytest
import speech_toys
import torch
from fusion_toys import CLASSES
from project_params import params_with
from torch.nn.functional import cross_entropy

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.speech.lora import Adapters
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params import fusion as fusion_params
from avemotion.params import pretrain_audio as params
from avemotion.params import whole
from avemotion.training.common import freeze
from stages import fusion, pretrain_audio

RANK, WIDTH = 3, 48
ADAPTED = {"speech.model": "tiny", "audio.lora": {"rank": RANK, "alpha": 6, "dropout": 0.0}}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 9, WIDTH, generator=generator), torch.arange(9) < torch.tensor([[9], [6]])


@pytest.fixture(params=speech_toys.NAMES)
def top(request) -> TopLayers:
    return TopLayers.from_model(speech_toys.make(request.param), 3).eval()


def adapted(top: TopLayers, layers: int = 2) -> Adapters:
    return Adapters(top, layers, rank=RANK, alpha=6, dropout=0.0)


def test_adapters_start_as_the_base_and_merge_to_what_they_learned(top):
    states, mask = batch()
    keys = set(top.state_dict())
    with torch.no_grad():
        top.stack.call_projections(top.layers.values())
        base = top(states, mask)
    adapters = adapted(top)
    with torch.no_grad():
        assert torch.equal(top(states, mask), base)
    before = {name: value.clone() for name, value in top.state_dict().items()}
    opened = top.last_parameters(2)
    assert sum(p.numel() for p in opened) == 2 * 4 * RANK * (WIDTH + WIDTH)  # layers, projections, A and B
    freeze.train_only(top, opened)
    optimizer = torch.optim.Adam(opened, lr=1e-2)
    for _ in range(3):  # A has no gradient while B is 0
        optimizer.zero_grad()
        top(states, mask)[mask].square().mean().backward()
        assert {name for name, p in top.named_parameters() if p.grad is not None} == {
            name for name, _ in top.named_parameters() if "lora_" in name
        }
        optimizer.step()
    changed = {name for name, value in top.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "lora_" in name}
    with torch.no_grad():
        learned = top(states, mask)
        layer = top.layers["4"].attention.q_proj
        product = layer.lora_B["speech"].weight @ layer.lora_A["speech"].weight
        expected = layer.base_layer.weight + 6 / RANK * product
        assert (learned - base)[mask].abs().max() > 1e-3
        adapters.merge()
        torch.testing.assert_close(top.layers["4"].attention.q_proj.weight, expected)
        torch.testing.assert_close(top(states, mask)[mask], learned[mask], rtol=1e-5, atol=2e-6)
    assert set(top.state_dict()) == keys
    assert {p for p in top.last_parameters(2)} <= set(top.parameters())
    again = adapted(top)  # the next stage adds fresh ones
    with torch.no_grad():
        torch.testing.assert_close(top(states, mask)[mask], learned[mask], rtol=1e-5, atol=2e-6)
    again.merge()


def test_dropout_of_attention_stays_where_projections_are_called(top):
    states, mask = batch()
    adapted(top)
    top.train()
    for part in top.modules():  # all other dropout off
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        torch.manual_seed(0)
        one, two = top(states, mask)[mask], top(states, mask)[mask]
    assert not torch.equal(one, two)


def test_eight_clips_are_learned_by_adapters_and_classifier_alone(tmp_path):
    from avemotion.training.emotion import audio_input

    config = params.configure(params_with(tmp_path, ADAPTED))
    torch.manual_seed(0)
    model = build_audio(CLASSES, audio_input.audio_arguments(config))
    audio_input.start(model, config.speech, ())
    adapters, phases = audio_input.adapters(model, config), pretrain_audio.phases(model, config)
    groups = phases[-1].prepare()
    assert [sum(p.numel() for p in group["params"]) for group in groups] == [
        128 * 768 + 768 + 768 * CLASSES + CLASSES,
        2 * 4 * RANK * (128 + 128),
    ]
    states, truth = torch.randn(8, 5, 128), torch.arange(8) % CLASSES
    mask = torch.ones(8, 5, dtype=torch.bool)
    optimizer = torch.optim.Adam([p for group in groups for p in group["params"]], lr=3e-3)
    freeze.train_mode(model)
    for _ in range(60):
        optimizer.zero_grad()
        loss = cross_entropy(model(states, mask), truth)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = model(states, mask)
        adapters.merge()
        torch.testing.assert_close(model(states, mask), logits, rtol=0, atol=1e-5)
    assert logits.argmax(1).tolist() == truth.tolist() and loss < 0.3


@pytest.mark.parametrize(("stage", "of"), [(pretrain_audio, params), (fusion, fusion_params)])
def test_the_summary_counts_adapters(tmp_path, stage, of):
    def counted(**changes: object) -> dict:
        return stage.summary(of.configure(params_with(tmp_path, {"speech.model": "tiny"} | changes)), CLASSES)

    plain, low = counted(), counted(**ADAPTED)
    own = 2 * 4 * RANK * (128 + 128)
    frozen = counted(**{"pretrain_audio.encoder_lr": 0, "fusion.audio_lr": 0})
    assert low["total"] == plain["total"] + own
    assert low["trainable"] == frozen["trainable"] + own


def test_nothing_is_added_where_no_layer_is_trained(tmp_path):
    for changes in ({"fusion.audio_lr": 0}, {"fusion.epochs": 0}, {"audio.encoder": "cnn"}, {"fusion.mode": "video"}):
        config = fusion_params.configure(params_with(tmp_path, ADAPTED | changes))
        assert config.wavlm_layers == 0
        unused = fusion_params.unused(config)
        assert "audio.lora" in unused or "audio" in unused


def test_without_peft_the_remedy_is_named(monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "peft" else found(name, *more))
    top = TopLayers.from_model(speech_toys.make("hubert base"), 1)
    with pytest.raises(ValueError, match=r"audio\.lora\.rank is 3, but the package peft is not installed; run `uv sy"):
        adapted(top, 1)
    whole.refuse(whole.read(params_with(tmp_path, ADAPTED | {"audio.encoder": "cnn"})))  # nothing would be adapted
    with pytest.raises(
        ValueError, match=r"params\.yaml: audio\.lora\.rank is 3, but the package peft is not installed"
    ):
        whole.refuse(whole.read(params_with(tmp_path, ADAPTED)))
