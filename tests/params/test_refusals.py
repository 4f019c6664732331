"""Every stage refuses a mistake in params.yaml before any work."""

import re
import subprocess
import sys

import pytest
import yaml
from project_params import REPO, params_with
from results_toys import params_of

from avemotion.params import whole
from stages import evaluate, fusion, manifest, pretrain_audio, pretrain_face, pretrain_video, va


@pytest.mark.parametrize("stage", [evaluate, fusion, manifest, pretrain_audio, pretrain_face, pretrain_video, va])
def test_the_projects_own_params_are_valid(stage):
    stage.configure(REPO / "params.yaml")


MISTAKES = [
    (
        fusion,
        {"fusion.mode": "attention"},
        "fusion.mode is 'attention'; choose one of audio, concat, gated, late, video, xattn",
    ),
    (fusion, {"fusion.lr": "quick"}, "fusion.lr is 'quick'; expected float"),
    (fusion, {"xattn.heads": 3}, "xattn.heads is 3; it must divide d_model (128)"),
    (fusion, {"xattn.heads": 0}, "xattn.heads is 0; it must divide"),
    (fusion, {"xattn.head": "late"}, "xattn.head is 'late'; choose one of concat, gated"),
    (fusion, {"fusion.video_blocks": 6}, "fusion.video_blocks is 6; give 0 to 5"),
    (fusion, {"fusion.dropout": 1.5}, "fusion.dropout is 1.5; it lies in 0 to 1"),
    (fusion, {"fusion.epochs": 0, "fusion.head_epochs": 0}, "fusion.epochs is 0"),
    (
        fusion,
        {"fusion.epochs": 0, "fusion.head_epochs": 0, "fusion.mode": "late", "fusion.warm_start": ["audio"]},
        "late with the warm start of all their parts may have 0",
    ),
    (fusion, {"fusion.audio_dropout": 0.6, "fusion.video_dropout": 0.6}, "add up to more than 1"),
    (fusion, {"fusion.audio_lr": -1e-5}, "fusion.audio_lr is -1e-05; give a number above 0, or 0 or null to freeze"),
    (fusion, {"fusion.video_views": -1}, "fusion.video_views is -1; give 0 or more"),
    (fusion, {"fusion.warm_start": ["audio", "audio"]}, "fusion.warm_start is ['audio', 'audio']; name each"),
    (fusion, {"fusion.warm_start": ["speech"]}, "fusion.warm_start[0] is 'speech'; choose one of audio, video"),
    (
        fusion,
        {"fusion.mode": "xatn"},
        "fusion.mode is 'xatn'; choose one of audio, concat, gated, late, video, xattn, xattn_concat, xattn_gated",
    ),
    (fusion, {"compute.loader_workers": -2}, "compute.loader_workers is -2; give -1 (automatic), 0 (none) or more"),
    (fusion, {"fusion.precision": "fp16"}, "fusion.precision is 'fp16'; choose one of fp32, bf16"),
    (
        pretrain_audio,
        {"audio.encoder": "resnet"},
        "audio.encoder is 'resnet'; choose one of wavlm, cnn, plain18, resnet18",
    ),
    (pretrain_audio, {"audio.dim": 0}, "audio.dim is 0; give 1 or more"),
    (pretrain_audio, {"speech.unfreeze_layers": -1}, "speech.unfreeze_layers is -1; give 0 (none) or more"),
    (pretrain_audio, {"pretrain_audio.batch_size": 0}, "pretrain_audio.batch_size is 0; give 1 or more"),
    (pretrain_audio, {"pretrain_audio.lr": 0}, "pretrain_audio.lr is 0.0; give a number above 0"),
    (pretrain_audio, {"pretrain_audio.encoder_lr": -1}, "pretrain_audio.encoder_lr is -1.0; give a number above 0, or"),
    (
        pretrain_audio,
        {"pretrain_audio.clip_norm": 0},
        "pretrain_audio.clip_norm is 0.0; give a number above 0, or null",
    ),
    (
        pretrain_audio,
        {"pretrain_audio.optimizer": "lion"},
        "pretrain_audio.optimizer is 'lion'; choose one of adamw, adam, sgd",
    ),
    (
        pretrain_audio,
        {"pretrain_audio.unfreeze_wavlm_layers": 3},
        "pretrain_audio.unfreeze_wavlm_layers is 3; give 0 to speech.unfreeze_layers (2), because the cache",
    ),
    (
        fusion,
        {"fusion.unfreeze_wavlm_layers": 3},
        "fusion.unfreeze_wavlm_layers is 3; give 0 to speech.unfreeze_layers",
    ),
    (fusion, {"xattn.audio_path": "lstm"}, "xattn.audio_path is 'lstm'; choose one of sequence, conv"),
    (pretrain_audio, {"pretrain_audio.epochs": 0}, "pretrain_audio.epochs is 0; give 1 or more"),
    (pretrain_audio, {"pretrain_audio.head_epochs": -1}, "pretrain_audio.head_epochs is -1; give 0 or more"),
    (
        pretrain_audio,
        {"pretrain_audio.label_smoothing": 1.2},
        "pretrain_audio.label_smoothing is 1.2; it lies in 0 to 1",
    ),
    (pretrain_audio, {"pretrain_audio.weight_decay": -1.0}, "pretrain_audio.weight_decay is -1.0; give 0 or more"),
    (pretrain_audio, {"augment.audio.views": {"clean": -1}}, "augment.audio.views is {'clean': -1.0}; weights must be"),
    (pretrain_audio, {"augment.audio.spec_augment.p": 2}, "augment.audio.spec_augment.p is 2.0; a probability lies in"),
    (pretrain_video, {"augment.frames.blur": -0.1}, "augment.frames.blur is -0.1; a probability lies in 0 to 1"),
    (pretrain_video, {"augment.frames.draw": 0}, "augment.frames.draw is 0; give 1 or more, or null for all frames"),
    (
        pretrain_video,
        {"pretrain_video.start": "vgg"},
        "pretrain_video.start is 'vgg'; choose one of none, imagenet, face",
    ),
    (
        pretrain_video,
        {"pretrain_video.start": "face", "video.encoder": "resnet18"},
        "pretrain_video.start is face, whose weights are those of video.enc",
    ),
    (pretrain_video, {"pretrain_video.blocks": 6}, "pretrain_video.blocks is 6; give 0 to 5"),
    (pretrain_video, {"video.stages": 3}, "video.stages is 3; give 1 (the last) or 2"),
    (
        pretrain_face,
        {"pretrain_face.sizes": [8, 48]},
        "pretrain_face.sizes is [8, 48]; give one or more, each 16 pixels",
    ),
    (pretrain_face, {"augment.stills.erase": 2.0}, "augment.stills.erase is 2.0; it lies in 0 to 1"),
    (manifest, {"manifest.faces.held_out": 0.5}, "manifest.faces.held_out is 0.5; give a share above 0 and below 0.5"),
    (pretrain_video, {"pretrain_video.epochs": 0}, "pretrain_video.epochs is 0; give 1 or more"),
    (
        pretrain_video,
        {"pretrain_video.label_smoothing": -0.1},
        "pretrain_video.label_smoothing is -0.1; it lies in 0 to 1",
    ),
    (pretrain_video, {"compute.threads": 0}, "compute.threads is 0; give 1 or more"),
    (va, {"xattn.heads": 3}, "xattn.heads is 3; it must divide va.dim (256)"),
    (
        va,
        {"va.inputs": ["speaker"]},
        "va.inputs is ['speaker']; name each once, and speech, prosody or fused among them",
    ),
    (va, {"va.inputs": ["prosody", "speaker"]}, "the speaker modulates speech, so speech must be there too"),
    (va, {"va.inputs": ["speech", "speech"]}, "va.inputs is ['speech', 'speech']; name each once"),
    (va, {"va.scales": [1, 4]}, "va.scales is [1, 4]; give odd numbers of steps"),
    (va, {"va.masked_time": 1}, "va.masked_time is 1.0; give a share from 0 to less than 1"),
    (va, {"va.inputs": ["text"]}, "va.inputs[0] is 'text'; choose one of speech, prosody, speaker, fused"),
]


@pytest.mark.parametrize(
    ("stage", "changes", "message"), MISTAKES, ids=lambda value: getattr(value, "__name__", str(value))[:40]
)
def test_a_stage_refuses_a_mistake_before_any_work(tmp_path, stage, changes, message):
    file = params_with(tmp_path, changes)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        stage.configure(file)
    assert str(caught.value).startswith(f"{file}: ")


@pytest.mark.parametrize("changes", [changes for _, changes, _ in MISTAKES], ids=lambda value: str(value)[:40])
def test_check_refuses_it_too(tmp_path, changes):
    with pytest.raises(ValueError, match=re.escape(next(iter(changes)))):
        whole.refuse(whole.read(params_with(tmp_path, changes)))


def test_the_command_line_shows_one_line(tmp_path):
    file = params_with(tmp_path, {"manifest.max_rejected": "most"})
    command = [sys.executable, "-m", "stages.manifest", "--params", str(file)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith(f"error: {file}: manifest.max_rejected is 'most'; expected float")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "change, message",
    [
        ("draws: 1", "evaluate.draws is 1; give 100 or more"),
        ("clips: 0", "evaluate.clips is 0"),
        ("turns: 0", "evaluate.turns is 0"),
    ],
)
def test_params_are_checked(tmp_path, change, message):
    section = {"draws": 100, "clips": 3, "turns": 5, "speaker_logits": "none"} | yaml.safe_load(f"{{{change}}}")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params_of(section)))
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate.configure(tmp_path / "params.yaml")
