"""Structures besides the default: trained by the stages, rebuilt from their checkpoints, predicted turn by turn."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from project_params import params_with
from safetensors.torch import load_file, save_file
from trained_project import CHANGES, CLASSES, calibrated, main, rows

from avemotion.formats.feature_store import FeatureStore
from commands import predict
from stages import features, fusion, pretrain_audio, va


@pytest.fixture
def own(trained, tmp_path, monkeypatch) -> Path:
    shutil.copytree(trained, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


CONCAT = {"va.interaction": "concat", "va.heads": "weighted_concat", "va.film": "pooled"}
ALONE = {"va.head_inputs": "interaction", "va.inputs": ["speech", "prosody", "speaker"], "va.heads": "separate"}
STRUCTURES = [
    {"xattn.audio_path": "conv", "xattn.head": "concat"} | CONCAT,
    pytest.param({"audio.encoder": "cnn", "xattn.audio_path": "conv", "va.finetune_layers": 1}, marks=pytest.mark.slow),
    {"fusion.mode": "gated", "va.speech_from": "wavlm", "va.finetune_layers": 2} | ALONE,
    {"fusion.mode": "xattn_gated", "fusion.inputs": ["audio", "video", "prosody"], "va.inputs": ["speech", "fused"]},
]


@pytest.mark.parametrize("changes", STRUCTURES, ids=lambda changes: str(changes)[:60])
def test_a_new_recording_gets_the_predictions_of_the_stages(own, capsys, changes):
    params_with(own, CHANGES | changes)
    if changes.get("audio.encoder") == "cnn":
        main(features, "mel")
    main(fusion)
    main(va)
    capsys.readouterr()
    main(predict, "c1.mov", "--json")
    (told,) = json.loads(capsys.readouterr().out)["recordings"]
    table = pd.read_csv("data/models/va/fold_3/predictions.csv").set_index("id")
    for target in ("valence", "arousal"):  # c1 is the first turn of its dialogue, so no earlier one counts
        assert told[target]["folds"][2] == pytest.approx(table.loc["c1", f"{target}_predicted"], abs=1e-4)
    shares = rows("fusion/predictions.csv").loc["c1", [f"p_{name}" for name in CLASSES]]
    assert list(told["emotion"].values()) == pytest.approx(calibrated(shares), abs=1e-4)


def speech(own: Path, source: str) -> dict[str, torch.Tensor]:
    """Input `speech` of two turns."""
    config = va.configure(params_with(own, CHANGES | {"va.speech_from": source, "va.inputs": ["speech", "fused"]}))
    turns = own / f"turns_{source}"
    va.prepare_turns(config, Path("data/models/fusion"), {"a1": "S1", "c1": "S3"}, turns, torch.device("cpu"))
    store = FeatureStore(turns / "features")
    return {clip: torch.from_numpy(store.get(clip, "speech").copy()) for clip in ("a1", "c1")}


def test_speech_comes_from_wavlm_itself_or_through_the_emotion_model(own):
    """From WavLM it is the cached last state, whatever emotion training did; the fusion model's layers change it."""
    cache = FeatureStore(Path("data/features/wavlm/affect"))
    file = Path("data/models/fusion/model.safetensors")
    through = speech(own, "fusion")
    state = load_file(file)
    save_file({name: v + 0.05 * ("audio.top.layers" in name) for name, v in state.items()}, file)
    changed, itself = speech(own, "fusion"), speech(own, "wavlm")
    for clip, states in itself.items():
        assert torch.equal(states, torch.from_numpy(cache.get(clip, "last").astype("float32")))
        assert (changed[clip] - through[clip]).abs().max() > 0.01 < (changed[clip] - states).abs().max()


def test_speech_from_wavlm_needs_no_fusion_model_and_one_fold_may_be_trained_alone(own):
    shutil.rmtree("data/models/fusion")
    shutil.rmtree("data/models/va")
    params_with(own, CHANGES | {"va.speech_from": "wavlm"} | ALONE)
    main(va, "--fold", "2")
    assert [path.name for path in Path("data/models/va").iterdir()] == ["fold_2"]
    alone = Path("data/models/va/fold_2/model.safetensors")
    first, config = alone.read_bytes(), json.loads((alone.parent / "model.json").read_text())
    assert config["fusion"] is None and config["speech_from"] == "wavlm"
    main(va)
    assert sorted(path.name for path in Path("data/models/va").iterdir()) == ["fold_1", "fold_2", "fold_3"]
    assert alone.read_bytes() == first
    with pytest.raises(ValueError, match="--fold is 4; the folds are 1, 2, 3"):
        main(va, "--fold", "4")


def test_a_unimodal_recipe_without_further_epochs_is_the_pretrained_model(own):
    """Encoder and classifier pass unchanged: the same weights and probabilities."""
    recipe = {"fusion.mode": "audio", "fusion.warm_start": ["audio"], "fusion.head_epochs": 0, "fusion.epochs": 0}
    few = {"pretrain_audio.head_epochs": 1, "pretrain_audio.epochs": 1, "pretrain_audio.lr": 0.01}
    params_with(own, CHANGES | few | recipe)
    main(pretrain_audio)
    main(fusion)
    pretrained, fused = (load_file(f"data/models/{stage}/model.safetensors") for stage in ("pretrain_audio", "fusion"))
    assert {f"audio.{name}" for name in pretrained} == fused.keys()
    assert all(torch.equal(value, fused[f"audio.{name}"]) for name, value in pretrained.items())
    before, after = rows("pretrain_audio/predictions.csv"), rows("fusion/predictions.csv")
    pd.testing.assert_frame_equal(before, after, rtol=0, atol=1e-6)
    assert Path("data/models/fusion/history.csv").read_text().count("\n") == 1
