"""Arguments of the VA model from its params, and layers of WavLM that it trains further."""

import pytest
import torch
from project_params import params_with

from avemotion.models.speech.pretrained import load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.models.va.model import build_va
from avemotion.training.va import objective
from avemotion.training.va.architecture import architecture
from stages import va

pytestmark = pytest.mark.usefixtures("set_up")


def test_finetuned_layers_start_from_the_given_weights_and_train_at_their_own_rate(tmp_path):
    changes = {"speech.model": "tiny", "speech.unfreeze_layers": 2, "va.finetune_layers": 1, "va.dim": 16}
    config = va.configure(params_with(tmp_path, changes | {"va.inputs": ["speech"], "va.dropout": 0.0}))
    sizes = {"speech": 128, "prosody": 8, "speaker": 6, "fused": 10}
    model = build_va(**architecture(config, sizes, 0))
    whole = load("tiny")
    both, last = TopLayers.from_model(whole, 2).eval(), TopLayers.from_model(whole, 1)
    model.top.load_state_dict(last.state_dict())
    boundary, mask = torch.randn(2, 5, 128), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    with torch.no_grad():  # the frozen layers once, the open one every epoch: the same as both together
        entering = both(boundary, mask, skip=1)
        torch.testing.assert_close(model.eval().top(entering, mask)[mask], both(boundary, mask)[mask], rtol=0, atol=0)
        assert both(boundary, mask, skip=2) is boundary
    rest, encoder = objective.groups(model, config.va)
    assert (rest["lr"], encoder["lr"]) == (config.va.lr, config.va.encoder_lr)
    assert len(encoder["params"]) == len([p for p in last.parameters() if p.requires_grad])
    assert len(encoder["params"]) + len(rest["params"]) == len([p for p in model.parameters() if p.requires_grad])
    output = model(speech=entering, speech_mask=mask, turns=torch.ones(1, 2, dtype=torch.bool))
    output.prediction.square().sum().backward()
    assert all(p.grad is not None for p in encoder["params"])
    assert model.top.layers["3"].feed_forward.output_dense.weight.grad.abs().max() > 0


def test_heads_may_train_at_rates_of_their_own_and_a_rate_of_null_freezes_wavlm(tmp_path):
    changes = {"speech.model": "tiny", "va.finetune_layers": 1, "va.heads": "weighted_concat", "va.valence_lr": 0.02}
    config = va.configure(params_with(tmp_path, changes | {"va.arousal_lr": 0.03, "va.encoder_lr": None}))
    model = build_va(**architecture(config, {"speech": 128, "prosody": 8, "speaker": 6, "fused": 10}, 0))
    groups = objective.groups(model, config.va)
    assert [group["lr"] for group in groups] == [config.va.lr, 0.02, 0.03]
    of = {id(q): group["lr"] for group in groups for q in group["params"]}
    for name, parameter in model.named_parameters():
        expected = None if name.startswith("top.") else config.va.lr
        if name.startswith(("heads.mlps.0.", "heads.scaling.valence.")):
            expected = 0.02
        if name.startswith(("heads.mlps.1.", "heads.scaling.arousal.")):
            expected = 0.03
        assert of.get(id(parameter)) == expected, name
        assert parameter.requires_grad == (expected is not None)


def test_multihead_pooling_must_divide_the_speech_features(tmp_path):
    config = va.configure(params_with(tmp_path, {"va.pooling": "multihead", "xattn.heads": 4}))
    with pytest.raises(ValueError, match=r"divide the 130 speech features"):
        architecture(config, {"speech": 130, "prosody": 8, "speaker": 6, "fused": 10}, 0)
