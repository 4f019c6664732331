"""Params without effect: changing all of them at once changes no byte that a stage trains; changing another does.

Each combination trains for an epoch with the stage itself, once as it is and once with other values of every key that
the stage lists as unused.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from project_params import params_with
from trained_project import CHANGES, SPLITS, facts, main

from avemotion.formats import labels
from avemotion.params import fusion as fusion_params
from avemotion.params import pretrain_audio as audio_params
from avemotion.params import pretrain_video as video_params
from avemotion.params import va_unused
from avemotion.training.common.folds import Fold
from stages import features, fusion, pretrain_audio, pretrain_video, va

pytestmark = pytest.mark.slow
SMALL = CHANGES | {
    "augment.audio.views": {"clean": 1, "snr_0": 1},
    "features.wavlm.layers": [0],
    "pretrain_audio.head_epochs": 1,
    "pretrain_audio.epochs": 1,
    "pretrain_video.epochs": 1,
    "fusion.head_epochs": 1,
    "fusion.epochs": 1,
    "va.dim": 32,
    "va.epochs": 1,
    "va.state.size": 8,
}
LORA = {"rank": 2, "alpha": 4, "dropout": 0.2}
# Key -> a value that neither SMALL nor a combination below has.
OTHER = {
    "fusion.normalise": "speaker",
    "speech": {"model": "tiny", "revision": None, "unfreeze_layers": 1},
    "audio": {"encoder": "plain18", "dim": 32, "normalise": "none", "layers": "learned", "lora": LORA},
    "audio.lora": LORA,
    "audio.lora.alpha": 1,
    "audio.lora.dropout": 0.5,
    "audio.layers": "learned",
    "audio.normalise": "speaker",
    "audio.dim": 32,
    "augment.audio": {
        "views": {"snr_0": 1},
        "warp": {"scale": 0.1, "shift": 0.1, "tempo": 0.2},
        "crop": 20,
        "spec_augment": {"p": 1, "masks": 3, "freq": 20, "time": 20},
    },
    "augment.audio.warp": {"scale": 0.1, "shift": 0.1, "tempo": 0.2},
    "augment.audio.crop": 20,
    "augment.audio.spec_augment": {"p": 1, "masks": 3, "freq": 20, "time": 20},
    "augment.frames": {"draw": 1, "flip": 1.0, "blur": 1.0, "darken": 1.0, "noise": 1.0},
    "augment.frames.draw": 1,
    "pretrain_audio.head_epochs": 3,
    "pretrain_audio.encoder_lr": 0.02,
    "pretrain_audio.unfreeze_wavlm_layers": 1,
    "pretrain_audio.loss": {"class_weights": "inverse", "focal": 2.0},
    "pretrain_audio.sampling": "balanced",
    "pretrain_audio.checkpoint": "data/models/pretrain_audio",
    "pretrain_audio.mixup": 0.5,
    "pretrain_audio.warmup": 0.5,
    "pretrain_audio.ema": 0.5,
    "pretrain_audio.select": "last",
    "pretrain_audio.patience": 1,
    "pretrain_audio.decay_all": False,
    "video": {
        "encoder": "face",
        "width": 12,
        "stages": 1,
        "temporal": "gru",
        "temporal_dim": 16,
        "pooling": "mean_std",
    },
    "video.temporal": "gru",
    "video.temporal_dim": 16,
    "vision": {"model": "facebook/dinov2-base", "revision": "v1", "unfreeze_layers": 2},
    "video.width": 12,
    "video.stages": 1,
    "video.pooling": "mean_std",
    "pretrain_video.face_checkpoint": "data/models/none",
    "pretrain_video.blocks": 1,
    "pretrain_video.patience": 1,
    "pretrain_video.decay_all": False,
    "xattn.d_model": 64,
    "xattn.heads": 2,
    "xattn.audio_path": "conv",
    "xattn.head": "concat",
    "xattn.head_dropout": 0.7,
    "xattn.dropout": 0.6,
    "xattn.stochastic_depth": 0.9,
    "fusion.audio_lr": 0.02,
    "fusion.video_lr": 0.02,
    "fusion.unfreeze_wavlm_layers": 1,
    "fusion.unfreeze_audio": False,
    "fusion.video_blocks": 2,
    "fusion.label_smoothing": 0.3,
    "fusion.late_smoothing": 0.3,
    "fusion.late_rule": "product",
    "fusion.residual": True,
    "fusion.unimodal_loss": 0.7,
    "fusion.lr": 0.02,
    "fusion.accumulate": 2,
    "fusion.optimizer": "adam",
    "fusion.weight_decay": 0.3,
    "fusion.clip_norm": 0.01,
    "fusion.cosine": False,
    "fusion.decay_all": False,
    "fusion.mixup": 0.5,
    "fusion.warmup": 0.5,
    "fusion.ema": 0.5,
    "fusion.select": "last",
    "fusion.patience": 1,
    "fusion.video_views": 2,
    "fusion.dropout": 0.8,
    "fusion.simple_gate": True,
    "fusion.gate_bias": 0.7,
    "fusion.audio_dropout": 0.5,
    "fusion.video_dropout": 0.5,
    "fusion.audio_checkpoint": "data/models/none",
    "fusion.video_checkpoint": "data/models/none",
    "va.normalise.prosody": "speaker",
    "va.normalise.speech": "speaker",
    "va.speech_from": "wavlm",
    "va.attention_heads": 2,
    "va.head_inputs": "interaction",
    "va.dominance": 2.0,
    "va.dominance_lr": 0.02,
    "va.valence_lr": 0.02,
    "va.arousal_lr": 0.02,
    "va.layers": "learned",
    "va.finetune_layers": 2,
    "va.encoder_lr": 0.02,
    "va.scales": [1, 5],
    "va.masked_time": 0.5,
    "va.masked_features": 0.5,
    "va.film": "pooled",
    "va.pooling": "statistics",
    "va.interaction": "concat",
    "va.dim": 48,
    "va.batch_size": 1,
    "va.patience": 1,
    "va.decay_all": False,
    "va.state.size": 12,
    "va.state.updater": "gru",
    "va.state.alpha": 0.9,
    "va.state.feedback": "none",
    "va.state.window": 1,
    "va.state.dialogues": 1,
    "va.state.chunk": 1,
}


@pytest.fixture(scope="module")
def workspace(trained, tmp_path_factory) -> Path:
    """The small project with the mel cache, pretrained models, and a fold of two dialogues."""
    root = tmp_path_factory.mktemp("no_effect") / "project"
    shutil.copytree(trained, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params_with(root, SMALL)
        main(features, "wavlm", "mel")
        table = labels.read("affect").assign(turn=[0, 0, 1, 0, 1, 2], dialogue=["d1", "d2", "d2", "d3", "d4", "d4"])
        table["split"], table["speaker"] = ["1", "2", "2", "3", "3", "3"], ["S1", "S2", "S2", "S3", "S3", "S3"]
        labels.write("affect", table.to_dict("records"), facts("affect", [1, 2, 3]))
        main(pretrain_audio)
        main(pretrain_video)
    return root


@pytest.fixture
def left(workspace, monkeypatch, tmp_path):
    """(stage, changes) -> what one training leaves, by file."""
    monkeypatch.chdir(workspace)

    def run(stage: ModuleType, changes: Mapping[str, object]) -> dict[str, bytes]:
        config = stage.configure(params_with(tmp_path, SMALL | changes))
        folder = tmp_path / "out"
        folder.mkdir()
        if stage is va:
            of_emotion = Path("data/models/fusion")
            speakers = {clip: clip[0] for clip in sorted(SPLITS)}
            va.prepare_turns(config, of_emotion, speakers, tmp_path / "turns", torch.device("cpu"))
            va.train(config, of_emotion, tmp_path / "turns", Fold(test=1, val=2), folder)
        else:
            stage.train(config, None, folder)
        # model.json holds the params too, those without effect among them.
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "model.json"}
        shutil.rmtree(folder)
        return files

    return run


MOVED = {"epochs": 2, "select": "last", "weight_decay": 0.0}
BRANCHLESS = {"va.interaction": "concat", "va.heads": "separate", "va.inputs": ["speech", "prosody", "speaker"]}
STAGES = ("pretrain_audio", "pretrain_video", "fusion", "va")
LAST = {stage: {f"{stage}.{key}": value for key, value in MOVED.items()} for stage in STAGES}
UNTRAINED = {"fusion.head_epochs": 0, "fusion.epochs": 0}
COMBINATIONS = [
    (pretrain_video, {"pretrain_video.blocks": 0}),
    (pretrain_video, {"video.temporal": "transformer", "video.pooling": "attention"}),
    (pretrain_video, {"video.encoder": "resnet18"}),
    (pretrain_audio, {}),
    (pretrain_audio, {"audio.encoder": "cnn"}),
    (pretrain_audio, {"audio.encoder": "resnet_asp", **LAST["pretrain_audio"]}),
    (pretrain_video, LAST["pretrain_video"]),
    (pretrain_audio, {"speech.unfreeze_layers": 0}),
    (pretrain_audio, {"pretrain_audio.unfreeze_wavlm_layers": 0}),
    (pretrain_audio, {"pretrain_audio.encoder_lr": 0}),
    (fusion, {}),
    (fusion, {"fusion.audio_lr": None, "fusion.video_lr": 0}),
    (fusion, {"fusion.unfreeze_wavlm_layers": 0}),
    (fusion, UNTRAINED | {"fusion.mode": "audio", "fusion.warm_start": ["audio"]}),
    (fusion, LAST["fusion"]),
    (fusion, UNTRAINED | {"fusion.mode": "late", "fusion.warm_start": ["audio", "video"]}),
    (fusion, {"fusion.mode": "xattn_gated"}),
    (fusion, {"fusion.mode": "xattn_concat"}),
    (fusion, {"fusion.mode": "gated"}),
    (fusion, {"fusion.mode": "gated", "fusion.simple_gate": True}),
    (fusion, {"fusion.mode": "concat", "fusion.warm_start": ["audio"]}),
    (fusion, {"fusion.mode": "late", "fusion.warm_start": ["video"]}),
    (fusion, {"fusion.mode": "audio", "fusion.warm_start": ["audio", "video"]}),
    (fusion, {"fusion.mode": "video", "fusion.warm_start": ["audio", "video"], "fusion.video_views": 1}),
    (fusion, {"audio.encoder": "cnn", "fusion.mode": "audio"}),
    (fusion, {"audio.encoder": "cnn", "xattn.audio_path": "conv", "fusion.warm_start": []}),
    (fusion, {"audio.encoder": "cnn", "fusion.unfreeze_audio": False, "fusion.warm_start": []}),
    (fusion, {"fusion.epochs": 0}),
    (fusion, {"fusion.video_blocks": 0}),
    (fusion, {"fusion.inputs": ["audio", "video", "prosody"]}),
    (fusion, {"speech.unfreeze_layers": 0}),
    (va, {}),
    (va, {"va.interaction": "concat", "va.pooling": "mean"}),
    (va, {"va.interaction": "concat", "va.pooling": "multihead"}),
    (va, {"va.interaction": "bidirectional", "va.pooling": "attention"}),
    (va, BRANCHLESS),
    (va, BRANCHLESS | {"va.state.kind": "none", "va.inputs": ["speech", "prosody"]}),
    (va, {"va.inputs": ["prosody", "fused"]}),
    (va, {"va.inputs": ["fused"]}),
    (va, {"va.inputs": ["prosody"], "va.heads": "separate"}),
    (va, {"va.inputs": ["speech"], "va.finetune_layers": 1}),
    (va, {"va.state.updater": "transformer"}),
    (va, {"va.attention_heads": 4}),
    (va, LAST["va"]),
    (va, BRANCHLESS | {"va.heads": "weighted_concat"}),
]
UNUSED = {
    pretrain_audio: audio_params.unused,
    pretrain_video: video_params.unused,
    fusion: fusion_params.unused,
    va: va_unused.unused,
}


def named(value: object) -> str:
    return getattr(value, "__name__", str(value)).removeprefix("stages.")[:60]


@pytest.mark.parametrize(("stage", "changes"), COMBINATIONS, ids=named)
def test_unused_params_change_no_byte(left, tmp_path, stage, changes):
    unused = UNUSED[stage](stage.configure(params_with(tmp_path, SMALL | changes)))
    others = {key: OTHER[key] for key in unused}
    assert len(before := left(stage, changes)) >= 3
    after = left(stage, changes | others)
    assert after.keys() == before.keys()
    assert [name for name in before if before[name] != after[name]] == []


IN_USE = [
    (pretrain_audio, {"audio.encoder": "cnn"}, ("audio.dim", "audio.normalise", "augment.audio.spec_augment")),
    (
        pretrain_audio,
        {"audio.encoder": "resnet_asp", "pretrain_audio.epochs": 2},
        (
            *("audio.dim", "augment.audio.spec_augment", "augment.audio.warp", "augment.audio.crop"),
            *(f"pretrain_audio.{key}" for key in ("mixup", "warmup", "ema", "decay_all")),
        ),
    ),
    (fusion, {}, ("audio.layers", "audio.lora")),
    (fusion, {"audio.lora": {"rank": 2, "alpha": 16, "dropout": 0.0}}, ("audio.lora.alpha", "audio.lora.dropout")),
    (fusion, {}, tuple(f"fusion.{key}" for key in ("mixup", "warmup", "ema", "decay_all"))),
    (
        pretrain_audio,
        {},
        (
            *("speech", "audio.layers", "audio.lora", "pretrain_audio.head_epochs", "pretrain_audio.encoder_lr"),
            "pretrain_audio.unfreeze_wavlm_layers",
            "pretrain_audio.checkpoint",
        ),
    ),
    (pretrain_audio, {"audio.encoder": "cnn"}, ("pretrain_audio.loss", "pretrain_audio.sampling")),
    (fusion, {"audio.encoder": "cnn", "fusion.warm_start": []}, ("fusion.unfreeze_audio",)),
    (fusion, {"xattn.head": "concat"}, ("xattn.head_dropout",)),
    (fusion, {"fusion.inputs": ["audio", "video", "prosody"]}, ("fusion.normalise",)),
    (fusion, {"fusion.mode": "late"}, ("fusion.late_smoothing",)),
    (
        fusion,
        {"fusion.video_views": 1},
        (
            *("speech", "audio", "augment.audio", "augment.frames"),
            *("xattn.d_model", "xattn.heads", "xattn.head", "xattn.dropout", "xattn.stochastic_depth"),
            *("fusion.audio_lr", "fusion.video_lr", "fusion.video_blocks", "fusion.video_views", "fusion.dropout"),
            *("fusion.simple_gate", "fusion.gate_bias", "fusion.audio_dropout", "fusion.video_dropout"),
            *("xattn.audio_path", "fusion.unfreeze_wavlm_layers", "fusion.label_smoothing", "fusion.optimizer"),
        ),
    ),
    (
        va,
        {"va.interaction": "bidirectional", "va.finetune_layers": 1, "va.state.updater": "transformer"},
        (
            *("va.layers", "va.finetune_layers", "va.encoder_lr", "va.scales", "va.masked_time", "va.masked_features"),
            *("va.film", "va.pooling", "va.interaction", "va.dim", "xattn.heads", "va.attention_heads"),
            *("va.speech_from", "va.valence_lr", "va.arousal_lr"),
            *(f"va.state.{key}" for key in ("size", "updater", "alpha", "feedback", "window", "dialogues", "chunk")),
        ),
    ),
    (pretrain_video, {}, ("video.pooling", "video.temporal", "pretrain_video.blocks")),
    (pretrain_video, {"video.temporal": "conv"}, ("video.temporal_dim",)),
    (
        fusion,
        {"video.temporal": "conv", "fusion.video_blocks": 0, "fusion.mode": "gated"},
        ("video.temporal_dim",),
    ),
    (pretrain_video, {"video.encoder": "face"}, ("video.width", "video.stages")),
    (va, {"va.state.kind": "none"}, ("va.batch_size", "va.normalise.prosody", "va.normalise.speech")),
]
CASES = [(stage, changes, key) for stage, changes, keys in IN_USE for key in keys]


@pytest.mark.parametrize(("stage", "changes", "key"), CASES, ids=named)
def test_a_param_in_use_changes_bytes(left, tmp_path, stage, changes, key):
    assert key not in UNUSED[stage](stage.configure(params_with(tmp_path, SMALL | changes)))
    before, after = left(stage, changes), left(stage, changes | {key: OTHER[key]})
    assert before["model.safetensors"] != after["model.safetensors"] or before["history.csv"] != after["history.csv"]


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_a_checkpoint_in_use_is_read(left, modality):
    key = f"fusion.{modality}_checkpoint"
    with pytest.raises(ValueError, match="data/models/none"):
        left(fusion, {"fusion.warm_start": [modality], key: OTHER[key]})
