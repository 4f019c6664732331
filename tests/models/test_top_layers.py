"""The last layers of every family from a cached boundary: the same numbers and gradients as the whole model."""

import pytest
import speech_toys
import torch

from avemotion.models.speech.pretrained import boundary_layer, config_for, load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params.training.speech import SpeechParams

LENGTHS = (24000, 17000, 9000)


@pytest.fixture(scope="module", params=speech_toys.NAMES)
def model(request):
    return speech_toys.make(request.param)


def padded_batch(lengths):
    generator = torch.Generator().manual_seed(5)
    waveform, real = torch.zeros(len(lengths), max(lengths)), torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in enumerate(lengths):
        waveform[row, :length] = torch.randn(length, generator=generator)
        real[row, :length] = 1
    return waveform, real


def full_forward(model, layers, lengths=LENGTHS):
    """(last hidden state, boundary with zeros in its padding, mask) of a padded batch through the whole model."""
    waveform, real = padded_batch(lengths)
    seen = []
    first = boundary_layer(model.config, layers)
    hook = model.encoder.layers[first].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    last = model(waveform, attention_mask=real).last_hidden_state
    hook.remove()
    mask = model._get_feature_vector_attention_mask(last.shape[1], real)
    return last, torch.where(mask.unsqueeze(-1), seen[0].detach(), 0.0), mask


def test_the_last_layers_may_be_left_out_and_run_apart(model):
    """What enters the last layer, then that layer (and the final norm) by itself: the same numbers as both at once."""
    both, last = TopLayers.from_model(model, 2).eval(), TopLayers.from_model(model, 1).eval()
    with torch.no_grad():
        _, boundary, mask = full_forward(model, 2)
        _, entering, _ = full_forward(model, 1)
        torch.testing.assert_close(both(boundary, mask, skip=1)[mask], entering[mask], rtol=0, atol=0)
        torch.testing.assert_close(last(both(boundary, mask, skip=1), mask)[mask], both(boundary, mask)[mask])
    assert both(boundary, mask, skip=2) is boundary


@pytest.mark.parametrize(("layers", "lengths"), [(1, LENGTHS), (2, LENGTHS), (5, LENGTHS), (2, (9000, 9000))])
def test_top_layers_equal_the_whole_model_in_values_and_gradients(model, layers, lengths):
    model.zero_grad()
    model.requires_grad_(False)
    top = TopLayers.from_model(model, layers).eval()
    for name in top.layers:
        model.encoder.layers[int(name)].requires_grad_(True)
    if top.layer_norm is not None:
        model.encoder.layer_norm.requires_grad_(True)
    last, boundary, mask = full_forward(model, layers, lengths)
    ours = top(boundary, mask)
    torch.testing.assert_close(ours[mask], last[mask], rtol=0, atol=0)

    direction = torch.randn(last.shape[-1], generator=torch.Generator().manual_seed(7))
    (last[mask] @ direction).square().mean().backward()
    (ours[mask] @ direction).square().mean().backward()
    trained = {name: p for name, p in top.named_parameters() if p.requires_grad}
    assert len(trained) > 15 * layers
    for name, parameter in trained.items():
        theirs = model.encoder.get_parameter(name).grad
        assert theirs.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad, theirs, rtol=0, atol=0, msg=name)
    model.requires_grad_(True)


def test_top_layers_with_dropout_equal_the_whole_model(model):
    """Frozen part in eval mode, trained part in train mode: the same draws give the same numbers."""
    top = TopLayers.from_model(model, 2).train()
    for layer in model.encoder.layers[-2:]:
        layer.train()
    reseed = model.encoder.layers[-2].register_forward_pre_hook(lambda *_: torch.manual_seed(11) and None)
    try:
        with torch.no_grad(), torch.random.fork_rng():
            last, boundary, mask = full_forward(model, 2)
            torch.manual_seed(11)
            ours = top(boundary, mask)
    finally:
        reseed.remove()
        model.eval()
    torch.testing.assert_close(ours[mask], last[mask], rtol=0, atol=0)
    assert not torch.equal(ours, top.eval()(boundary, mask))


def test_padding_does_not_change_the_top_layers(model):
    top = TopLayers.from_model(model, 2).eval()
    generator = torch.Generator().manual_seed(1)
    short, long = torch.randn(1, 20, 48, generator=generator), torch.randn(1, 33, 48, generator=generator)
    padded = torch.full((2, 33, 48), 100.0)  # rubbish in the padding must not leak
    padded[0, :20], padded[1] = short[0], long[0]
    mask = torch.arange(33)[None] < torch.tensor([[20], [33]])
    with torch.no_grad():
        together = top(padded, mask)
        alone = top(short, torch.ones(1, 20, dtype=torch.bool))
    torch.testing.assert_close(together[0, :20], alone[0], rtol=1e-5, atol=1e-5)


def test_utterance_without_frames_gives_finite_values_and_gradients(model):
    top = TopLayers.from_model(model, 1)
    mask = torch.tensor([[True] * 6, [False] * 6])
    output = top(torch.zeros(2, 6, 48), mask)
    output[mask].sum().backward()
    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in top.parameters() if p.grad is not None)


def test_no_layers_pass_the_cached_state_on(model):
    state = torch.randn(2, 7, 48)
    top = TopLayers(model.config, 0)
    assert top(state, torch.ones(2, 7, dtype=torch.bool)) is state
    assert not list(top.parameters())


def test_checkpoint_keys_carry_the_layers_own_numbers(model):
    top = TopLayers.from_model(model, 2)
    fresh = TopLayers(model.config, 2)
    fresh.load_state_dict(top.state_dict())
    keys = set(top.state_dict())
    assert {"layers.3.attention.q_proj.weight", "layers.4.feed_forward.output_dense.bias"} <= keys
    assert ("relative_position.weight" in keys) == (model.config.model_type == "wavlm")
    assert all(parameter.requires_grad for name, parameter in top.named_parameters() if name.startswith("layer"))
    assert not any(p.requires_grad for name, p in top.named_parameters() if name.startswith("relative_position"))
    wider = TopLayers.from_model(model, 3).state_dict()
    assert all(torch.equal(wider[key], value) for key, value in top.state_dict().items())


def test_known_architectures_have_the_published_sizes():
    from transformers import WavLMModel

    with torch.device("meta"):
        base = WavLMModel(config_for("microsoft/wavlm-base"))
        large = WavLMModel(config_for("microsoft/wavlm-large"))
        top = TopLayers(config_for("microsoft/wavlm-base"), 2)
    assert sum(p.numel() for p in base.parameters()) == 94_381_936
    assert sum(p.numel() for p in large.parameters()) == 315_453_120
    # a layer: four 768x768 projections, 768->3072->768, two norms, 12 gate constants, gates 64 -> 8
    layer = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768 + 12 + 64 * 8 + 8
    assert sum(p.numel() for p in top.parameters() if p.requires_grad) == 2 * layer


def test_tiny_is_fixed_leaves_the_generator_alone_and_says_that_it_is_untrained(capsys):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    one, two = load("tiny"), load("tiny")
    assert torch.equal(torch.rand(3), expected)
    assert "untrained" in capsys.readouterr().err
    assert not one.training
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(next(load("tiny", seed=1).parameters()), next(one.parameters()))
    with torch.no_grad():  # 320 samples per frame, as in the published models; receptive field 640 + 15 * 20
        assert one(torch.randn(1, 940 + 97 * 320)).last_hidden_state.shape == (1, 98, one.config.hidden_size)
        assert one(torch.randn(1, 939 + 97 * 320)).last_hidden_state.shape == (1, 97, one.config.hidden_size)


def test_errors_name_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"speech\.model is .*downloaded model"):
        load(str(tmp_path))
    with pytest.raises(ValueError, match=r"unfreeze_layers is 5, but the model has 4 layers"):
        TopLayers(config_for("tiny"), 5)
    with pytest.raises(ValueError, match="unfreeze_layers is -1"):
        SpeechParams(model="tiny", unfreeze_layers=-1)
