"""Stage check: what a later stage would refuse, and what changes no result."""

import re
import subprocess
import sys

import pytest
import yaml
from project_params import REPO, params_with

from avemotion.params import whole
from stages import check

NO_AFFECT = {"corpora.affect": {"name": None, "root": "data/none"}}
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"va.state.updater": "lstm"}, "va.state.updater is 'lstm'; choose one of"),
        ({"speech.model": "microsoft/wavlm-base", "speech.unfreeze_layers": 13}, "microsoft/wavlm-base has 12 layers"),
        ({"features.wavlm.layers": [4], "speech.model": "tiny"}, "features.wavlm.layers is"),
        ({"augment.audio.views": {"clean": 1, "30dB": 1}}, "augment.audio.views names 30dB, but views.emotion gives"),
        ({"va.interaction": "concat", "va.pooling": "multihead", "xattn.heads": 7, "xattn.d_model": 70}, "xattn.heads"),
        ({"corpora.affect": {"name": "ravdess", "root": "x"}}, "ravdess, which has no valence and arousal; use"),
        (NO_EMOTION, "va.inputs names fused, but corpora.emotion names no corpus; leave fused out"),
        (NO_EMOTION | NO_AFFECT, "corpora"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_refuses_what_a_later_stage_would(tmp_path, monkeypatch, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run(tmp_path, monkeypatch, changes)
    assert not (tmp_path / "data").exists()


def test_a_key_that_no_stage_reads_is_named(tmp_path):
    file = params_with(tmp_path, {})
    file.write_text(file.read_text(encoding="utf-8") + "\nfusoin: {mode: gated}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"fusoin\.mode: no stage reads this; correct the name or remove it"):
        whole.read(file)


@pytest.mark.parametrize(
    ("changes", "listed", "used"),
    [
        ({}, ["manifest.emotion.ratios", "va.pooling"], ["xattn.heads", "fusion.mode", "seed"]),
        ({"va.interaction": "concat"}, [], ["va.pooling"]),
        ({"fusion.mode": "xattn_gated"}, ["xattn.head"], ["fusion.gate_bias"]),
        ({"fusion.mode": "xattn_concat"}, ["xattn.head", "fusion.gate_bias", "fusion.simple_gate"], ["xattn.d_model"]),
        ({"fusion.mode": "late"}, ["fusion.gate_bias", "fusion.simple_gate", "xattn.d_model"], ["xattn.heads"]),
        ({"fusion.mode": "concat"}, ["fusion.gate_bias", "fusion.audio_dropout"], ["fusion.dropout"]),
        ({"fusion.mode": "gated"}, ["xattn.d_model"], ["fusion.gate_bias", "fusion.audio_dropout"]),
        ({"va.inputs": ["speech", "prosody"]}, ["va.film"], []),
        ({"manifest.emotion.split": "stratified"}, ["manifest.emotion.actors"], ["manifest.emotion.ratios"]),
        ({"audio.encoder": "cnn"}, [], ["augment.audio.spec_augment"]),
        (NO_AFFECT, ["va", "manifest.affect"], ["fusion.mode", "xattn.heads"]),
        (NO_EMOTION | {"va.inputs": ["speech", "prosody"]}, ["fusion", "pretrain_audio"], ["va.interaction", "seed"]),
    ],
    ids=lambda value: str(value)[:50],
)
def test_params_without_effect(tmp_path, changes, listed, used):
    unused = whole.without_effect(whole.read(params_with(tmp_path, changes)))
    assert set(listed) <= set(unused)
    assert not [key for key in used for other in unused if key == other or key.startswith(f"{other}.")]


def test_its_list_is_printed_and_no_torch_is_imported(tmp_path):
    file = params_with(tmp_path, {"fusion.mode": "late"})
    code = f"import sys; sys.argv[1:] = ['--params', {str(file)!r}]; from stages import check; check.main()"
    code += "; assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(REPO)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "  fusion.gate_bias (fusion.mode is late)\n" in done.stdout
