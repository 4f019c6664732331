"""audio.layers: learned, the audio model's softmax-weighted sum over hidden layers of a speech encoder."""

import math

import pytest
import speech_toys
import torch
from fusion_toys import CLASSES, MODES, wake

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.speech_encoder import WavLM
from avemotion.models.fusion.build import build_fusion
from avemotion.models.speech.top_layers import TopLayers

ARGUMENTS = {"encoder": "wavlm", "model": "tiny"}  # 4 layers of 128 features
SHARES = torch.tensor([1.0, 2.0, 5.0])


def weighing(layers: list[int], opened: int, **more: object) -> WavLM:
    model = build_audio(2, ARGUMENTS | {"unfreeze_layers": opened, "layers": layers, **more})
    assert isinstance(model, WavLM)
    return model.eval()


def test_the_sum_by_hand():
    model, rows = weighing([0, 2], 0), torch.zeros(1, 3, 3, 128)
    rows[0, :, :, 0] = torch.tensor([[8.0, 16.0, 24.0], [0.0, 8.0, 80.0], [math.nan] * 3])
    mask = torch.tensor([[True, True, False]])
    assert model.step == (3, 128)
    with torch.no_grad():
        torch.testing.assert_close(model.encode(rows, mask)[0, 0], torch.tensor((48 / 3 + 88 / 3) / 2))
        model.weighting.scores.copy_(SHARES.log())  # (8 + 2 * 16 + 5 * 24) / 8 and (2 * 8 + 5 * 80) / 8
        torch.testing.assert_close(model.encode_sequence(rows, mask)[0][0, :2, 0], torch.tensor([20.0, 52.0]))
        torch.testing.assert_close(model.encode(rows, mask)[0, 0], torch.tensor(36.0))


@pytest.mark.parametrize("name", speech_toys.NAMES)
def test_layers_above_the_boundary_come_from_the_trained_ones(tmp_path, name):
    """The whole model of transformers with the same weights; the cache's own copy of such a layer has no effect."""
    whole = speech_toys.make(name)
    whole.save_pretrained(tmp_path)
    model = weighing([1, 4], 2, model=str(tmp_path))  # layer 3 is the boundary
    model.top.load_state_dict(TopLayers.from_model(whole, 2).state_dict())
    with torch.no_grad():
        of = whole(torch.randn(2, 9000), output_hidden_states=True)
        mask = torch.ones(of.last_hidden_state.shape[:2], dtype=torch.bool)
        model.weighting.scores.copy_(SHARES.log())
        cached = torch.stack([of.hidden_states[1], torch.full_like(of.hidden_states[4], 1e6), of.hidden_states[3]], 2)
        expected = (of.hidden_states[1] + 2 * of.hidden_states[4] + 5 * of.last_hidden_state) / 8
        torch.testing.assert_close(model.conv_sequence(cached, mask), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opened", [0, 2])
def test_all_weight_on_the_last_layer_is_the_model_without_weights(opened):
    torch.manual_seed(0)
    plain = build_audio(2, ARGUMENTS | {"unfreeze_layers": opened}).eval()
    model = weighing([0, 3], opened)
    missing = model.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing == ["weighting.scores"]
    rows, mask = torch.randn(3, 7, 3, 128), torch.arange(7) < torch.tensor([[7], [4], [0]])
    with torch.no_grad():
        model.weighting.scores.copy_(torch.tensor([-1e4, -1e4, 0.0]))
        torch.testing.assert_close(model(rows, mask), plain(rows[:, :, -1], mask), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "video"])
@pytest.mark.parametrize("path", ["sequence", "conv"])
def test_every_fusion_mode_takes_the_sum(mode, path):
    """With all weight on the last layer each mode has the numbers of the model without weights, and others else."""
    name, _, head = mode.partition("_")
    options = {"d_model": 32, "heads": 2, "head": head, "audio_path": path} if head else {}
    sound = ARGUMENTS | {"unfreeze_layers": 1}
    video = None if mode == "audio" else {}
    plain = wake(build_fusion(name, CLASSES, sound, video, options)).eval()
    model = build_fusion(name, CLASSES, sound | {"layers": [0, 3]}, video, options).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    rows, pictures = torch.randn(2, 6, 3, 128), torch.rand(2, 2, 3, 32, 32)
    audio_mask, video_mask = torch.arange(6) < torch.tensor([[6], [4]]), torch.ones(2, 2, dtype=torch.bool)
    with torch.no_grad():
        expected = plain(rows[:, :, -1], audio_mask, pictures, video_mask)
        assert (model(rows, audio_mask, pictures, video_mask).logits - expected.logits).abs().max() > 1e-5
        model.audio.weighting.scores.copy_(torch.tensor([-1e4, -1e4, 0.0]))
        output = model(rows, audio_mask, pictures, video_mask)
    torch.testing.assert_close(output.logits, expected.logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.embedding, expected.embedding, rtol=1e-5, atol=1e-5)


def test_the_weights_learn_which_layer_tells_the_classes_apart():
    """Only the stored layer 0 differs between the classes; padding of NaN leaves every gradient finite."""
    torch.manual_seed(0)
    model, truth = weighing([0, 2], 1), torch.arange(8) % 2
    rows = torch.randn(8, 5, 3, 128)
    rows[:, :, 0] += 2 * (2 * truth[:, None, None] - 1) * torch.randn(128)
    mask = torch.arange(5) < torch.tensor([[5], [3]] * 4)
    rows[~mask] = math.nan
    opened = [*model.head_parameters(), *model.encoder_parameters()]
    assert sum(p.numel() for p in model.head_parameters()) == 3 + 128 * 768 + 768 + 768 * 2 + 2
    optimizer = torch.optim.Adam(opened, lr=3e-2)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(rows, mask), truth)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad.isfinite().all() for p in opened if p.grad is not None)
        optimizer.step()
    assert loss.item() < 0.1
    assert model.weighting.weights.argmax() == 0 and model.weighting.weights[0] > 0.4


def test_each_layer_is_standardised_by_itself():
    model = weighing([0], 0, standardize=True)
    rows = torch.randn(50, 2, 128) * torch.tensor([1.0, 30.0])[:, None] + torch.tensor([5.0, -200.0])[:, None]
    model.normalize.fit_parts(rows.split([20, 30]))
    sums = model.conv_sequence(rows[None], torch.ones(1, 50, dtype=torch.bool))[0]
    expected = ((rows - rows.mean(0)) / rows.std(0, correction=0)).mean(1)
    torch.testing.assert_close(sums, expected, rtol=1e-4, atol=1e-4)
