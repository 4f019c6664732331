"""The fusion models and their encoders: sizes, invariances, and hand-written or foreign references."""

import json
import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize
from toys import CLASSES, ENCODERS, MODES, REPO, clip, fusion, garbage, params_with

from avemotion.datasets.clip_batches import collate
from avemotion.models.encoders.audio_encoders import _average_pool
from avemotion.models.fusion.build import build_fusion
from avemotion.models.encoders.video_encoder import BLOCKS, IMAGENET_MEAN, IMAGENET_STD, VideoResNet18
from avemotion.training.fusion import phases as recipe
from stages import fusion as fusion_stage
from stages import pretrain_audio, pretrain_video

TOTALS = {  # 8 classes; total parameters by audio encoder and mode
    "plain18": {"audio": 12_785_224, "late": 23_965_840, "concat": 24_263_576, "gated": 24_263_833},
    "cnn": {"audio": 155_752, "late": 11_336_368, "concat": 11_634_104, "gated": 11_634_361},
    "wavlm": {"audio": 94_978_680, "late": 106_159_296, "concat": 106_620_872, "gated": 106_621_129},
}
VIDEO = 11_180_616
BASE = {"speech.model": "microsoft/wavlm-base"}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("encoder", TOTALS)
def test_parameter_counts(tmp_path, encoder):
    for mode, expected in (TOTALS[encoder] | {"video": VIDEO}).items():
        file = params_with(tmp_path, BASE | {"audio.encoder": encoder, "fusion.mode": mode})
        counts = fusion_stage.summary(fusion_stage.configure(file))
        assert counts["total"] == expected, mode
        for key in ("total", "trainable"):
            assert sum(part[key] for part in counts["parts"].values()) == counts[key]
    counts = pretrain_audio.summary(pretrain_audio.configure(file))
    assert counts["total"] == TOTALS[encoder]["audio"]
    if encoder != "wavlm":
        assert counts["trainable"] == counts["total"]
    counts = pretrain_video.summary(pretrain_video.configure(file))
    assert counts["total"] == counts["trainable"] == VIDEO


@pytest.mark.parametrize(("layers", "expected"), [(0, 596_744), (2, 14_773_552), (4, 28_950_360)])
def test_trainable_parameters_of_wavlm_alone(tmp_path, layers, expected):
    file = params_with(tmp_path, BASE | {"audio.encoder": "wavlm", "speech.unfreeze_layers": layers})
    counts = pretrain_audio.summary(pretrain_audio.configure(file))
    assert (counts["trainable"], counts["total"]) == (expected, TOTALS["wavlm"]["audio"])


@pytest.mark.parametrize(("mode", "expected"), [("late", 11_777_360), ("concat", 12_238_936), ("gated", 12_239_193)])
def test_trainable_parameters_with_frozen_wavlm(tmp_path, mode, expected):
    changes = {"audio.encoder": "wavlm", "speech.unfreeze_layers": 0, "fusion.video_blocks": 5, "fusion.mode": mode}
    counts = fusion_stage.summary(fusion_stage.configure(params_with(tmp_path, BASE | changes)))
    assert counts["trainable"] == expected


def test_summary_on_the_command_line_is_one_json_object(tmp_path):
    file = params_with(tmp_path, {"audio.encoder": "cnn", "fusion.mode": "gated"})
    command = [sys.executable, "-m", "stages.fusion", "--summary", "--params", str(file)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == fusion_stage.summary(fusion_stage.configure(file))


@pytest.mark.parametrize("head", ["concat", "gated"])
def test_mode_names_that_fix_the_head(tmp_path, head):
    def architecture(mode, head):
        file = params_with(tmp_path, {"fusion.mode": mode, "xattn.head": head})
        config = fusion_stage.configure(file)
        return recipe.architecture(config.fusion, config.xattn, config.audio, config.speech, CLASSES)

    other = "gated" if head == "concat" else "concat"
    assert architecture(f"xattn_{head}", other) == architecture(f"xattn_{head}", head) == architecture("xattn", head)
    assert architecture("xattn", head)["options"]["head"] == head


CASES = [(mode, "wavlm") for mode in MODES] + [
    (mode, encoder) for encoder in ("cnn", "plain18", "resnet18") for mode in ("late", "gated", "xattn_gated")
]


@pytest.mark.parametrize(("mode", "encoder"), CASES)
def test_padding_order_and_company_change_no_output(mode, encoder):
    """Clips by themselves, without padding, against all of them in another order with rubbish in their padding."""
    model = fusion(mode, encoder)
    mel = encoder != "wavlm"  # always cut or filled to the same length
    lengths = [(24, 3), (24, 1), (24, 2)] if mel else [(9, 3), (4, 1), (1, 2)]
    lengths += [(None, 2), (24 if mel else 6, None)]
    clips = [clip(seed, *length, encoder) for seed, length in enumerate(lengths)]
    alone = [model(*collate([item]).inputs) for item in clips]
    order = [3, 0, 4, 2, 1]
    together = collate([clips[i] for i in order])
    for value in (0.0, 300.0, math.nan):
        audio, audio_mask = together.audio, together.audio_mask
        if not mel:
            audio, audio_mask = garbage(audio, audio_mask, value, extra=5)
        video, video_mask = garbage(together.video, together.video_mask, value, extra=2)
        output = model(audio, audio_mask, video, video_mask)
        for row, i in enumerate(order):
            for name in ("logits", "embedding", "gate"):
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


def test_late_is_the_mean_of_the_softmaxes():
    model, batch = fusion("late"), collate([clip(seed, 5, 2) for seed in range(4)])
    output = model(*batch.inputs)
    heard = model.audio(batch.audio, batch.audio_mask).double().softmax(-1)
    seen = model.video(batch.video, batch.video_mask).double().softmax(-1)
    mean = (heard + seen) / 2
    torch.testing.assert_close(output.probabilities.double(), mean, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(output.probabilities.sum(-1), torch.ones(4))
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


@pytest.mark.parametrize("size", [(5, 7), (16, 75), (4, 4), (3, 2), (1, 9)])
def test_average_pool_equals_torchs(size):
    feature_map = torch.randn(2, 3, *size)
    expected = torch.nn.AdaptiveAvgPool2d(4)(feature_map)
    torch.testing.assert_close(_average_pool(feature_map, 4), expected)


def test_mel_mask_follows_the_feature_map():
    model, mask = fusion("audio", "plain18").audio, torch.arange(301)[None] < torch.tensor([[301], [64], [65], [0]])
    sequence, real = model.encode_sequence(torch.randn(4, 301, 64), mask)
    steps = sequence.shape[1]
    assert real.sum(1).tolist() == [steps, math.ceil(64 * steps / 301), math.ceil(65 * steps / 301), 0]
    assert bool((real[:, 1:] <= real[:, :-1]).all())  # real steps come first


def test_video_model_is_torchvisions_resnet():
    reference, ours = resnet18().eval(), VideoResNet18(CLASSES).eval()
    for module in reference.modules():  # other statistics than 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    layers = (reference.layer1, reference.layer2, reference.layer3, reference.layer4)
    ours.blocks[0][0].load_state_dict(reference.conv1.state_dict())
    ours.blocks[0][1].load_state_dict(reference.bn1.state_dict())
    for own, given in zip(ours.blocks[1:], layers, strict=True):
        own.load_state_dict(given.state_dict())
    reference.fc = torch.nn.Identity()
    frames = torch.rand(2, 3, 3, 48, 40)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    each = reference(normalize(frames.flatten(0, 1), IMAGENET_MEAN, IMAGENET_STD)).unflatten(0, (2, 3))
    expected = torch.stack([each[0].mean(0), each[1, 0]])
    torch.testing.assert_close(ours.encode(frames, mask), expected, rtol=1e-4, atol=1e-5)


def test_video_model_continues_from_every_block():
    model, frames = VideoResNet18(CLASSES).eval(), torch.rand(2, 3, 3, 48, 40)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    whole = model(frames, mask)
    for blocks in range(BLOCKS + 1):
        model.start_from(BLOCKS)
        lower = model.lower(frames, blocks)
        assert len(model.last_parameters(blocks)) == len(list(model.blocks[BLOCKS - blocks :].parameters()))
        model.start_from(blocks)
        torch.testing.assert_close(model(lower, mask), whole, rtol=1e-5, atol=1e-6)
    assert lower is frames
