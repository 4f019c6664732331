"""`--summary` of the emotion stages: parameter counts by hand."""

import json
import subprocess
import sys

import pytest
from project_params import REPO, params_with

from stages import fusion as fusion_stage
from stages import pretrain_audio, pretrain_video, va

TOTALS = {  # 8 classes; total parameters by audio encoder and mode
    "plain18": {"audio": 12_785_224, "late": 23_965_840, "concat": 24_263_576, "gated": 24_263_833},
    "cnn": {"audio": 155_752, "late": 11_336_368, "concat": 11_634_104, "gated": 11_634_361},
    "wavlm": {"audio": 94_978_680, "late": 106_159_296, "concat": 106_620_872, "gated": 106_621_129},
}
VIDEO = 11_180_616
BASE = {"speech.model": "microsoft/wavlm-base", "video.encoder": "resnet18"}


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
@pytest.mark.parametrize("boundary", [None, 6])
def test_trainable_parameters_of_wavlm_alone(tmp_path, layers, expected, boundary):
    """The same whether the cache's boundary lies there or further below."""
    where = {"speech.unfreeze_layers": boundary or layers}
    where |= {"pretrain_audio.unfreeze_wavlm_layers": layers} if boundary else {}
    file = params_with(tmp_path, BASE | {"audio.encoder": "wavlm"} | where)
    counts = pretrain_audio.summary(pretrain_audio.configure(file))
    assert (counts["trainable"], counts["total"]) == (expected, TOTALS["wavlm"]["audio"])


@pytest.mark.parametrize(("mode", "expected"), [("late", 11_777_360), ("concat", 12_238_936), ("gated", 12_239_193)])
def test_trainable_parameters_with_frozen_wavlm(tmp_path, mode, expected):
    changes = {"audio.encoder": "wavlm", "speech.unfreeze_layers": 0, "fusion.video_blocks": 5, "fusion.mode": mode}
    counts = fusion_stage.summary(fusion_stage.configure(params_with(tmp_path, BASE | changes)))
    assert counts["trainable"] == expected


CONV = {"xattn.audio_path": "conv", "xattn.d_model": 128, "xattn.heads": 4}
CROSS_MODAL = {  # with audio_path conv, by encoder and head: the totals of late and what cross-attention adds
    ("plain18", "concat"): 24_273_176,
    ("plain18", "gated"): 24_239_385,
    ("wavlm", "concat"): 106_736_968,
}


@pytest.mark.parametrize(("encoder", "head"), CROSS_MODAL)
def test_parameter_counts_of_cross_attention_over_convolved_sound(tmp_path, encoder, head):
    changes = BASE | CONV | {"audio.encoder": encoder, "fusion.mode": f"xattn_{head}"}
    counts = fusion_stage.summary(fusion_stage.configure(params_with(tmp_path, changes)))
    assert counts["total"] == CROSS_MODAL[encoder, head]
    width = {"plain18": 64, "wavlm": 768}[encoder]
    sound, picture = 3 * width * 128 + 128 + 128 * 128 + 128, 512 * 128 + 128
    attention = 2 * (4 * (128 * 128 + 128) + 2 * 128)
    ends = {"concat": 256 * 256 + 256 + 256 * 8 + 8, "gated": 256 * 128 + 128 + 128 + 1 + 128 * 8 + 8}
    assert counts["total"] - TOTALS[encoder]["late"] == sound + picture + attention + ends[head]
    if encoder == "plain18":  # no layer of the mel encoder is used, so none is trained
        assert counts["parts"]["audio"]["trainable"] == 128 * 8 + 8


def test_trainable_parameters_of_cross_attention_with_frozen_wavlm(tmp_path):
    frozen = {"fusion.unfreeze_wavlm_layers": 0, "fusion.video_blocks": 5, "fusion.mode": "xattn_concat"}
    changes = BASE | CONV | frozen | {"audio.encoder": "wavlm", "speech.unfreeze_layers": 2}
    counts = fusion_stage.summary(fusion_stage.configure(params_with(tmp_path, changes)))
    assert (counts["trainable"], counts["total"]) == (12_355_032, 106_736_968)


def test_summary_on_the_command_line_is_one_json_object(tmp_path):
    file = params_with(tmp_path, {"audio.encoder": "cnn", "fusion.mode": "gated"})
    command = [sys.executable, "-m", "stages.fusion", "--summary", "--params", str(file)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == fusion_stage.summary(fusion_stage.configure(file))


def mlp(inputs, outputs):
    """Linear, norm, Linear, norm, Linear: inputs -> 256 -> 128 -> outputs."""
    return inputs * 256 + 3 * 256 + 256 * 128 + 3 * 128 + 128 * outputs + outputs


def counts(tmp_path, changes):
    return va.summary(va.configure(params_with(tmp_path, changes)))["parts"]


def test_size_of_v1(tmp_path):
    """WavLM large pooled 1024 + prosody 64 + state 64 = 1152 -> 256 -> 128 -> 2; FiLM 192 -> 256 -> 2 * 1024."""
    changes = {"speech.model": "microsoft/wavlm-large", "va.inputs": ["speech", "prosody", "speaker"]}
    changes |= {"va.interaction": "concat", "va.heads": "shared", "va.film": "pooled", "va.state.updater": "linear"}
    changes |= {"va.pooling": "mean", "va.state.feedback": "none", "va.state.alpha": 0.8, "va.state.kind": "ema"}
    found = counts(tmp_path, changes)
    assert found["heads"]["total"] == mlp(1152, 2)
    assert found["film"]["total"] == 192 * 256 + 256 + 256 * 2048 + 2048
    assert found["state"]["total"] == 2 * 1088 + 1088 * 64 + 64 + 64 * 64 + 64
    assert found["prosody"]["total"] == 88 * 64 + 64 + 2 * 64
    assert "projections" not in found and found["interaction"]["total"] == 0
    pooled = counts(tmp_path, changes | {"va.pooling": "attention"})  # V3: softmax(Linear(1024 -> 1))
    assert pooled["interaction"]["total"] == 1024 + 1
    tuned = counts(tmp_path, changes | {"va.finetune_layers": 2})  # V2
    assert tuned["wavlm"]["trainable"] > 2 * 4 * 1024 * 1024 and tuned["heads"] == found["heads"]


def test_size_of_separate_heads_over_the_scaled_concatenation(tmp_path):
    """Two weightings 1152 -> 256 -> 2 and two MLPs 1152 -> 256 -> 128 -> 1."""
    changes = {"speech.model": "microsoft/wavlm-large", "va.inputs": ["speech", "prosody", "speaker"]}
    changes |= {"va.interaction": "concat", "va.heads": "weighted_concat", "va.film": "pooled", "va.state.alpha": 0.8}
    found = counts(tmp_path, changes | {"va.pooling": "mean", "va.state.kind": "ema", "va.state.size": 64})
    assert found["heads"]["total"] == 2 * (1152 * 256 + 256 + 256 * 2 + 2 + mlp(1152, 1)) == 1_249_286


def test_size_of_v4_as_published(tmp_path):
    """Heads over the 256 attended features and the state 64 alone; the state's input is these features."""
    changes = {"va.inputs": ["speech", "prosody", "speaker"], "va.interaction": "cross_attention", "va.dim": 256}
    changes |= {"va.head_inputs": "interaction", "va.heads": "separate", "va.state.kind": "ema", "va.state.size": 64}
    found = counts(tmp_path, changes | {"va.state.updater": "linear", "va.state.feedback": "none"})
    assert found["heads"]["total"] == 2 * mlp(256 + 64, 1)
    assert found["state"]["total"] == 2 * 256 + 256 * 64 + 64 + 64 * 64 + 64 and "projections" not in found


def test_size_of_v4(tmp_path):
    """FiLM 192 -> 256 -> 2 * 768 on every step; each head 256 (+ state 64) -> 256 -> 128 -> 1 behind its weighting."""
    changes = {"speech.model": "microsoft/wavlm-base", "va.inputs": ["speech", "prosody", "speaker"]}
    changes |= {"va.interaction": "cross_attention", "va.heads": "branches", "va.film": "steps", "va.dim": 256}
    found = counts(tmp_path, changes | {"va.state.kind": "none"})
    assert found["film"]["total"] == 192 * 256 + 256 + 256 * 1536 + 1536
    weighting = 256 * 256 + 256 + 512 * 256 + 256 + 256 * 2 + 2  # the other part is merged, then the two are scored
    assert found["heads"]["total"] == 2 * (mlp(256, 1) + weighting)
    attention = 4 * (256 * 256 + 256) + 2 * 256 + (768 * 256 + 256) + (64 * 256 + 256) + (256 * 256 + 256)
    assert found["interaction"]["total"] == attention
    found = counts(tmp_path, changes | {"va.state.kind": "ema", "va.state.size": 64})
    assert found["heads"]["total"] == 2 * (mlp(256 + 64, 1) + weighting)
    found = counts(tmp_path, changes | {"va.heads": "separate", "va.state.kind": "none"})
    assert found["heads"]["total"] == 2 * mlp(512, 1)
