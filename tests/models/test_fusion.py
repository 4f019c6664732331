"""The fusion models: invariances, and hand-written references."""

import math

import pytest
import torch
import torch.nn.functional as F
from fusion_toys import CLASSES, ENCODERS, MODES, clip, fusion, garbage

from avemotion.datasets.clip_batches import collate
from avemotion.models.fusion.build import build_fusion

OF_ONE_LENGTH = ("cnn", "plain18", "resnet18")
CASES = (
    [(mode, "wavlm", {}) for mode in MODES]
    + [(mode, "wavlm", {"prosody": 5}) for mode in MODES if mode not in ("audio", "video")]
    + [("xattn_gated", "wavlm", {"prosody": 5, "residual": True})]
    + [("gated", "wavlm", {"residual": True})]
    + [(mode, encoder, {}) for encoder in (*OF_ONE_LENGTH, "resnet_asp") for mode in ("late", "gated", "xattn_gated")]
)
CONV = [
    (f"xattn_{head}", encoder, {"audio_path": "conv"})
    for head, encoder in (("gated", "wavlm"), ("concat", "cnn"), ("gated", "resnet_asp"))
]


@pytest.mark.parametrize(("mode", "encoder", "options"), CASES + CONV, ids=str)
def test_padding_order_and_company_change_no_output(mode, encoder, options):
    """Clips by themselves, without padding, against all of them in another order with rubbish in their padding."""
    model = fusion(mode, encoder, **options)
    mel = encoder in OF_ONE_LENGTH  # always cut or filled to the same length
    lengths = [(24, 3), (24, 1), (24, 2)] if mel else [(9, 3), (4, 1), (1, 2)]
    lengths += [(None, 2), (24 if mel else 6, None)]
    clips = [clip(seed, *length, encoder, options.get("prosody")) for seed, length in enumerate(lengths)]
    alone = [model(*collate([item]).inputs) for item in clips]
    order = [3, 0, 4, 2, 1]
    together = collate([clips[i] for i in order])
    for value in (0.0, 300.0, math.nan):
        audio, audio_mask = together.audio, together.audio_mask
        if not mel:
            audio, audio_mask = garbage(audio, audio_mask, value, extra=5)
        video, video_mask = garbage(together.video, together.video_mask, value, extra=2)
        output = model(audio, audio_mask, video, video_mask, *together.inputs[4:])
        for row, i in enumerate(order):
            for name in ("logits", "embedding", "gate", "prosody_share"):
                if getattr(output, name) is not None:
                    ours, theirs = getattr(output, name)[row], getattr(alone[i], name)[0]
                    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5, msg=f"{name} of clip {i}, {value}")
    different = torch.cat([output.embedding for output in alone])[:3]
    assert (different[0] - different[1]).abs().max() > 1e-3  # clips do differ


@pytest.mark.parametrize("mode", ["xattn_concat", "xattn_gated"])
def test_attention_sums_to_1_over_real_steps_and_is_0_on_padding(mode):
    clips = [clip(0, 9, 3), clip(1, 4, 1), clip(2, 1, 2), clip(3, None, 2), clip(4, 6, None)]
    batch = collate(clips)
    output = fusion(mode)(*batch.inputs)
    for weights, queries, keys in (
        (output.video_to_audio, batch.video_mask, batch.audio_mask),
        (output.audio_to_video, batch.audio_mask, batch.video_mask),
    ):
        assert weights.isfinite().all()
        for row in range(len(clips)):
            real = weights[row][queries[row]]
            assert not real[:, ~keys[row]].any()
            if keys[row].any():
                torch.testing.assert_close(real.sum(-1), torch.ones(len(real)))
    assert output.video_to_audio[0, 0].std() > 0  # some steps count more than others


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_every_number_of_heads_attends_with_the_same_parameters(heads):
    model, batch = fusion("xattn_gated", heads=heads), collate([clip(0, 5, 3), clip(1, 3, 2)])
    output = model(*batch.inputs)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in fusion("xattn_gated").parameters())
    for weights, queries in ((output.video_to_audio, batch.video_mask), (output.audio_to_video, batch.audio_mask)):
        torch.testing.assert_close(weights.sum(-1)[queries], torch.ones(int(queries.sum())))
    if heads > 1:
        other = fusion("xattn_gated", heads=1)
        other.load_state_dict(model.state_dict())
        assert not torch.allclose(other(*batch.inputs).logits, output.logits)


@pytest.mark.parametrize("encoder", ["wavlm", "cnn"])
def test_the_conv_path_is_a_convolution_over_three_steps_and_a_linear_layer(encoder):
    """By hand at one step; a mel encoder's own layers have no effect, WavLM's do."""
    model, batch = fusion("xattn_gated", encoder, audio_path="conv"), collate([clip(0, 24, 3, encoder)])
    audio, mask = batch.audio, batch.audio_mask
    steps, real = model.audio_sequence(audio, mask)
    given = (audio - model.audio.normalize.mean) / model.audio.normalize.std if encoder == "cnn" else None
    given = model.audio.top(audio, mask) if given is None else given
    weight, bias = model.convolve.weight, model.convolve.bias  # [d, C, 3], [d]
    by_hand = bias + sum(weight[:, :, k] @ given[0, 7 + k] for k in range(3))
    torch.testing.assert_close(steps[0, 8], by_hand, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(steps[0, 0], bias + sum(weight[:, :, k] @ given[0, k - 1] for k in (1, 2)), rtol=1e-4,
                               atol=1e-5)  # fmt: skip
    assert torch.equal(real, mask) and model.project_audio.weight.shape == (32, 32)
    before = model(*batch.inputs).logits
    with torch.no_grad():
        for parameter in model.audio.encoder_parameters():
            parameter.add_(0.1)
    assert torch.equal(model(*batch.inputs).logits, before) == (encoder == "cnn")


def test_the_concat_head_has_no_dropout_unless_asked_for():
    for asked, expected in ((0.0, True), (0.5, False)):
        model, batch = fusion("xattn_concat", head_dropout=asked, dropout=0.9), collate([clip(0, 5, 2), clip(1, 4, 2)])
        model.hidden.train()
        assert torch.equal(model(*batch.inputs).logits, model(*batch.inputs).logits) == expected


def test_late_is_the_mean_of_the_softmaxes():
    model, batch = fusion("late"), collate([clip(seed, 5, 2) for seed in range(4)])
    output = model(*batch.inputs)
    heard = model.audio(batch.audio, batch.audio_mask).double().softmax(-1)
    seen = model.video(batch.video, batch.video_mask).double().softmax(-1)
    mean = (heard + seen) / 2
    torch.testing.assert_close(output.probabilities(1.0).double(), mean, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(output.probabilities(1.0).sum(-1), torch.ones(4))
    torch.testing.assert_close(output.logits.exp().sum(-1), torch.ones(4))  # log-probabilities already
    by_hand = -sum(math.log(mean[i, label].item()) for i, label in enumerate(batch.target.tolist())) / 4
    assert F.cross_entropy(output.logits, batch.target).item() == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("mode", ["gated", "xattn"])
@pytest.mark.parametrize("bias", [-1.0, 0.5])
def test_gate_starts_at_its_bias_for_every_input(mode, bias):
    model = build_fusion(mode, CLASSES, ENCODERS["wavlm"], {}, {"gate_bias": bias})
    gate = model(*collate([clip(seed, 3 + seed, 2) for seed in range(3)]).inputs).gate
    torch.testing.assert_close(gate, torch.full((3,), 1 / (1 + math.exp(-bias))), rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["gated", "xattn"])
def test_simple_gate_is_one_linear_layer(mode):
    model = build_fusion(mode, CLASSES, ENCODERS["wavlm"], {}, {"simple_gate": True})
    linear, sigmoid = model.gate
    assert isinstance(linear, torch.nn.Linear) and isinstance(sigmoid, torch.nn.Sigmoid)
    assert linear.weight.shape == (1, 2 * model.embedding_dim) and linear.bias.item() == -1.0


@pytest.mark.parametrize("simple", [True, False])
def test_without_a_gate_bias_the_gate_starts_at_random(simple):
    options = {"gate_bias": None, "simple_gate": simple}
    model, batch = (
        build_fusion("gated", CLASSES, ENCODERS["wavlm"], {}, options),
        collate([clip(0, 5, 2), clip(1, 4, 2)]),
    )
    assert model.gate[-2].weight.any() and not torch.equal(*model.eval()(*batch.inputs).gate)


@pytest.mark.parametrize("mode", ["gated", "xattn_gated", "xattn_concat"])
@pytest.mark.parametrize("lost", ["audio", "video"])
def test_a_dropped_modality_is_one_the_clip_lacks(mode, lost):
    """In training with dropout 1 the model gives what it gives for clips without that modality."""
    rates = {"audio_dropout": float(lost == "audio"), "video_dropout": float(lost == "video")}
    model = fusion(mode, dropout=0.0, **rates)
    if mode != "gated":
        for block in (model.video_to_audio, model.audio_to_video):
            block.attention.dropout = block.drop_branch.p = 0.0
    batch = collate([clip(seed, 4, 3) for seed in range(3)])
    model.modality_dropout.train()
    dropped = model(*batch.inputs).logits
    without = list(batch.inputs)
    without[1 if lost == "audio" else 3] = torch.zeros_like(without[1 if lost == "audio" else 3])
    model.eval()
    torch.testing.assert_close(dropped, model(*without).logits)
    assert not torch.allclose(dropped, model(*batch.inputs).logits)


def test_gate_1_hears_and_gate_0_sees():
    model, batch = fusion("gated"), collate([clip(seed, 5, 2) for seed in range(3)])
    heard = model.project_audio(model.audio.encode(batch.audio, batch.audio_mask))
    seen = model.project_video(model.video.encode(batch.video, batch.video_mask))
    for bias, expected in ((100.0, heard), (-100.0, seen)):
        model.gate[-2].bias.data.fill_(bias)
        torch.testing.assert_close(model(*batch.inputs).embedding, expected)


def test_encoders_of_the_fusion_are_the_unimodal_models():
    audio = fusion("audio")
    late, batch = fusion("late"), collate([clip(seed, 5, 2) for seed in range(2)])
    late.audio.load_state_dict(audio.audio.state_dict())
    torch.testing.assert_close(late.audio(batch.audio, batch.audio_mask), audio(*batch.inputs).logits)


def test_late_by_product_is_the_normalised_product_of_the_softmaxes():
    model, batch = fusion("late", late_rule="product"), collate([clip(seed, 5, 2) for seed in range(3)])
    output = model(*batch.inputs)
    audio, video = (part.double().softmax(-1) for part in output.parts)
    product = audio * video / (audio * video).sum(-1, keepdim=True)
    torch.testing.assert_close(output.probabilities(1.0).double(), product, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rule", ["mean", "product"])
@pytest.mark.parametrize("mode", ["concat", "gated", "xattn_gated", "xattn_concat"])
def test_a_residual_fusion_starts_as_late_fusion_and_as_the_part_that_is_there(mode, rule):
    name, _, head = mode.partition("_")
    options = {"residual": True, "late_rule": rule} | ({"head": head} if head else {})
    model = build_fusion(name, CLASSES, ENCODERS["wavlm"], {}, options).eval()
    late = build_fusion("late", CLASSES, ENCODERS["wavlm"], {}, {"late_rule": rule}).eval()
    late.audio.load_state_dict(model.audio.state_dict())
    late.video.load_state_dict(model.video.state_dict())
    batch = collate([clip(0, 5, 2), clip(1, 4, 1), clip(2, None, 2), clip(3, 6, None)])
    output, expected = model(*batch.inputs), late(*batch.inputs)
    torch.testing.assert_close(output.logits[:2], expected.logits[:2])
    torch.testing.assert_close(output.logits[2].exp(), expected.parts[1][2].softmax(-1))
    torch.testing.assert_close(output.logits[3].exp(), expected.parts[0][3].softmax(-1))
    with torch.no_grad():
        model.classifier.weight.normal_()
    moved = model(*batch.inputs)
    torch.testing.assert_close(moved.logits, output.logits + model.classifier(moved.embedding))


@pytest.mark.parametrize("mode", ["concat", "gated", "xattn_gated"])
def test_parts_are_the_unimodal_logits_and_come_only_when_asked_for(mode):
    model, batch = fusion(mode, unimodal_loss=0.5), collate([clip(seed, 5, 2) for seed in range(2)])
    output = model(*batch.inputs)
    torch.testing.assert_close(output.parts[0], model.audio(batch.audio, batch.audio_mask))
    torch.testing.assert_close(output.parts[1], model.video(batch.video, batch.video_mask))
    plain = fusion(mode)
    plain.load_state_dict(model.state_dict())
    assert plain(*batch.inputs).parts is None
    assert torch.equal(plain(*batch.inputs).logits, output.logits)
