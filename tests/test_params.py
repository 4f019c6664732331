"""params.yaml is read strictly: each mistake is one message that names file, key, value and remedy."""

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

import pytest
from toys import REPO, params_with

from avemotion.system import params_file
from stages import evaluate, fusion, manifest, pretrain_audio, pretrain_video, va


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float
    names: list[str]


@dataclass(frozen=True, kw_only=True)
class Outer:
    size: int
    opened: bool
    kind: Literal["one", "two", 3]
    inner: Inner
    weights: dict[str, float]
    folder: str | None

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size is {self.size}; give 1 or more")


GOOD = {
    "size": "4",
    "opened": "true",
    "kind": "two",
    "inner": "{rate: 2, names: [a, b]}",
    "weights": "{x: 1, 5dB: 0.5}",
    "folder": "null",
}


def read(place, **changes):
    """The section `s.outer` of a file with GOOD and changes, as YAML text; None drops the key."""
    lines = [f"    {key}: {value}" for key, value in (GOOD | changes).items() if value is not None]
    file = place / "p.yaml"
    file.write_text("\n".join(["s:", "  outer:", *lines, ""]), encoding="utf-8")
    return params_file.read(file, "s.outer", Outer)


def test_a_section_becomes_its_dataclass(tmp_path):
    outer = read(tmp_path)
    inner = Inner(rate=2.0, names=["a", "b"])
    expected = {
        "size": 4,
        "opened": True,
        "kind": "two",
        "inner": inner,
        "weights": {"x": 1.0, "5dB": 0.5},
        "folder": None,
    }
    assert vars(outer) == expected
    assert type(outer.inner.rate) is float and type(outer.weights["x"]) is float  # an int passes as a float
    assert read(tmp_path, folder="data").folder == "data" and read(tmp_path, kind="3").kind == 3
    assert params_file.read(tmp_path / "p.yaml", "s.outer.inner.names", list[str]) == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": "1"}, "s.outer: unknown key extra; known are size, opened, kind, inner, weights, folder"),
        ({"opened": None}, "s.outer: missing key opened"),
        ({"size": "true"}, "s.outer.size is True; expected int"),
        ({"size": "4.0"}, "s.outer.size is 4.0; expected int"),
        ({"size": "'4'"}, "s.outer.size is '4'; expected int"),
        ({"size": "0"}, "s.outer.size is 0; give 1 or more"),
        ({"size": "null"}, "s.outer.size is None; expected int"),
        ({"opened": "1"}, "s.outer.opened is 1; expected bool"),
        ({"opened": "'yes'"}, "s.outer.opened is 'yes'; expected bool"),
        ({"kind": "four"}, "s.outer.kind is 'four'; choose one of one, two, 3"),
        ({"kind": "3.0"}, "s.outer.kind is 3.0; choose one of one, two, 3"),
        ({"inner": "{rate: 1e-4, names: []}"}, "s.outer.inner.rate is '1e-4'; expected float; YAML reads 1e-4 as text"),
        ({"inner": "{rate: true, names: []}"}, "s.outer.inner.rate is True; expected float"),
        ({"inner": "{rate: .nan, names: []}"}, "s.outer.inner.rate is nan; expected float"),
        ({"inner": "{rate: .inf, names: []}"}, "s.outer.inner.rate is inf; expected float"),
        ({"inner": "{rate: 1}"}, "s.outer.inner: missing key names"),
        ({"inner": "{rate: 1, names: [], nmaes: []}"}, "s.outer.inner: unknown key nmaes; known are rate, names"),
        ({"inner": "[1, 2]"}, "s.outer.inner is [1, 2]; expected the keys rate, names"),
        ({"inner": "{rate: 1, names: a}"}, "s.outer.inner.names is 'a'; expected a list such as [a, b]"),
        ({"inner": "{rate: 1, names: [a, 2]}"}, "s.outer.inner.names[1] is 2; expected str"),
        ({"weights": "{x: high}"}, "s.outer.weights.x is 'high'; expected float"),
        ({"weights": "[1]"}, "s.outer.weights is [1]; expected a mapping"),
        ({"folder": "3"}, "s.outer.folder is 3; expected str"),
    ],
)
def test_mistakes_in_a_section(tmp_path, changes, message):
    with pytest.raises(ValueError, match=re.escape(f"p.yaml: {message}")):
        read(tmp_path, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "p.yaml: no such file; run from the project's root or name one with --params FILE"),
        ("seed: 0", "p.yaml: 'fusion' is missing; add it"),
        ("fusion: {}", "p.yaml: 'fusion.mode' is missing; add it"),
        ("fusion: 3", "p.yaml: 'fusion.mode' is missing; add it"),
        ("- 1", "p.yaml: expected sections such as 'fusion:', found list"),
        ("", "p.yaml: expected sections such as 'fusion:', found NoneType"),
        ("fusion: {mode: a", "p.yaml: not valid YAML"),
        ("fusion:\n  mode: a\n  mode: b", "p.yaml: not valid YAML: mode occurs twice in"),
        ("seed: 0\nfusion: {mode: a}\nseed: 1", "p.yaml: not valid YAML: seed occurs twice in"),
        ("fusion:\n\tmode: a", "p.yaml: not valid YAML: while scanning for the next token found character"),
        ("seed: 2020-99-99", "p.yaml: not valid YAML: month must be in 1..12"),
        ("seed: " + "[" * 5000, "p.yaml: not valid YAML"),
        ("seed: !!python/object/apply:os.getcwd []", "p.yaml: not valid YAML: could not determine a constructor"),
    ],
)
def test_mistakes_in_a_file(tmp_path, text, message):
    if text is not None:
        (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        params_file.read(tmp_path / "p.yaml", "fusion.mode", str)


def test_a_changed_file_is_read_again(tmp_path):
    assert read(tmp_path).size == 4
    assert read(tmp_path, size="5000").size == 5000


@pytest.mark.parametrize("stage", [evaluate, fusion, manifest, pretrain_audio, pretrain_video, va])
def test_the_projects_own_params_are_valid(stage):
    stage.configure(REPO / "params.yaml")


MISTAKES = [
    (
        fusion,
        {"fusion.mode": "attention"},
        "fusion.mode is 'attention'; choose one of audio, video, late, concat, gated",
    ),
    (fusion, {"fusion.lr": "3e-4"}, "fusion.lr is '3e-4'; expected float; YAML reads 1e-4 as text, write 1.0e-4"),
    (fusion, {"xattn.heads": 3}, "xattn.heads is 3; it must divide d_model (128)"),
    (fusion, {"xattn.heads": 0}, "xattn.heads is 0; it must divide"),
    (fusion, {"xattn.head": "late"}, "xattn.head is 'late'; choose one of concat, gated"),
    (fusion, {"fusion.video_blocks": 6}, "fusion.video_blocks is 6; give 0 to 5"),
    (fusion, {"fusion.dropout": 1.5}, "fusion.dropout is 1.5; it lies in 0 to 1"),
    (fusion, {"fusion.head_epochs": 0, "fusion.epochs": 0}, "fusion.epochs is 0"),
    (fusion, {"fusion.audio_dropout": 0.6, "fusion.video_dropout": 0.6}, "add up to more than 1"),
    (fusion, {"fusion.audio_lr": -1e-5}, "fusion.audio_lr is -1e-05; give a number above 0"),
    (fusion, {"fusion.video_views": -1}, "fusion.video_views is -1; give 0 or more"),
    (fusion, {"fusion.warm_start": ["audio", "audio"]}, "fusion.warm_start is ['audio', 'audio']; name each"),
    (fusion, {"fusion.warm_start": ["speech"]}, "fusion.warm_start[0] is 'speech'; choose one of audio, video"),
    (fusion, {"fusion.mode": "xatn"}, "fusion.mode is 'xatn'; choose one of audio, video, late, concat, gated, xattn"),
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
    (pretrain_audio, {"pretrain_audio.encoder_lr": 0}, "pretrain_audio.encoder_lr is 0.0; give a number above 0"),
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
    (pretrain_video, {"pretrain_video.imagenet": 1}, "pretrain_video.imagenet is 1; expected bool"),
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


@pytest.mark.parametrize(("stage", "changes", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_stage_refuses_a_mistake_before_any_work(tmp_path, stage, changes, message):
    file = params_with(tmp_path, changes)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        stage.configure(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_the_command_line_shows_one_line(tmp_path):
    file = params_with(tmp_path, {"manifest.max_rejected": "most"})
    command = [sys.executable, "-m", "stages.manifest", "--params", str(file)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith(f"error: {file}: manifest.max_rejected is 'most'; expected float")
    assert done.stderr.count("\n") == 1
