"""audio.layers: learned through the stages: sources, refusals, and predict after training."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import trained_project
from project_params import params_with
from trained_project import CLASSES, calibrated, main, rows

import avemotion
from avemotion.formats.feature_store import CLEAN, FeatureStore
from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.speech.pretrained import load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params import fusion as fusion_params
from avemotion.params import pretrain_audio as params
from avemotion.training.common import checkpoint
from avemotion.training.emotion import audio_input
from stages import fusion, pretrain_audio, va

LEARNED = {"audio.layers": "learned", "features.wavlm.layers": [1, 3]}


@pytest.mark.parametrize("configure", [params.configure, fusion_params.configure])
def test_without_stored_layers_there_is_nothing_to_weigh(tmp_path, configure):
    with pytest.raises(ValueError, match=r"audio\.layers is learned, but features\.wavlm\.layers is empty; list"):
        configure(params_with(tmp_path, {"audio.layers": "learned"}))


def test_a_mel_encoder_has_no_layers_to_weigh(tmp_path):
    config = params.configure(params_with(tmp_path, LEARNED | {"audio.encoder": "cnn"}))
    assert params.unused(config)["audio.layers"] == "audio.encoder is cnn"
    assert "layers" not in audio_input.audio_arguments(config)


def test_a_checkpoint_that_weighs_other_layers_is_refused(tmp_path):
    arguments = {"encoder": "wavlm", "model": "tiny", "unfreeze_layers": 1}
    model = build_audio(2, arguments | {"layers": [0, 2]})
    checkpoint.save(tmp_path, model, {"classes": ["a", "b"], "audio": arguments | {"layers": [0, 2]}})
    taken = checkpoint.warm_start_from(tmp_path, build_audio(2, arguments | {"layers": [0, 2]}), ["a", "b"], None)
    assert not taken["missing"] and not taken["unused"]
    with pytest.raises(ValueError, match=r"are weights of the layers \[0, 2\], the model's are of \[1, 2\]; give feat"):
        checkpoint.warm_start_from(tmp_path, build_audio(2, arguments | {"layers": [1, 2]}), ["a", "b"], None)
    last = checkpoint.warm_start_from(tmp_path, build_audio(2, arguments), ["a", "b"], None)
    assert last["unused"] == ["weighting.scores"]


@pytest.mark.slow
def test_stages_and_predict_compute_the_same(tmp_path, monkeypatch):
    """Pretraining, a warm start, va over the fused embedding, and the prediction of a new file."""
    trained = trained_project.CHANGES | LEARNED | {"va.layers": "learned", "va.finetune_layers": 1}
    trained |= {"audio.lora": {"rank": 2, "alpha": 8, "dropout": 0.1}}
    trained |= {"pretrain_audio.head_epochs": 1, "pretrain_audio.epochs": 3, "fusion.mode": "xattn_gated"}
    monkeypatch.setattr(trained_project, "CHANGES", trained)
    monkeypatch.chdir(trained_project.build(tmp_path))
    store = FeatureStore(Path("data/features/wavlm/emotion"))
    source = audio_input.new_source(
        {"encoder": "wavlm", "unfreeze_layers": 2, "layers": [1, 3]},
        store,
        ["wavlm"],
        dict.fromkeys(store.ids, ""),
        None,
    )
    standard = torch.cat([source(clip, None)[0] for clip in store.ids])
    assert standard.shape[1:] == (3, 128)
    torch.testing.assert_close(standard.mean(0), torch.zeros(3, 128), rtol=0, atol=1e-4)

    main(pretrain_audio)
    params_with(tmp_path, trained | {"fusion.warm_start": ["audio"]})
    main(fusion)
    main(va)
    config, weights = checkpoint.load(Path("data/models/fusion"))
    assert "weighting.scores" in config["warm_start"]["audio"]["taken"]
    assert not any("lora" in name for name in weights)
    own = TopLayers.from_model(load("tiny"), 2).state_dict()
    changed = {name for name, value in own.items() if not torch.equal(value, weights[f"audio.top.{name}"])}
    assert changed == {
        f"layers.{i}.attention.{part}.weight" for i in (2, 3) for part in ("q_proj", "k_proj", "v_proj", "out_proj")
    }
    before = checkpoint.read_weights(Path("data/models/pretrain_audio/model.safetensors"))["weighting.scores"]
    assert before.ne(0).all() and not torch.equal(weights["audio.weighting.scores"], before)
    expected = rows("fusion/predictions.csv")
    values = pd.concat(pd.read_csv(f"data/models/va/fold_{fold}/predictions.csv") for fold in (1, 2, 3))
    assert values["valence_predicted"].notna().all()
    for clip in ("c1", "c2"):
        found = avemotion.load().predict(Path(f"{clip}.mov"))
        shares = [float(expected.loc[clip, f"p_{label}"]) for label in CLASSES]
        np.testing.assert_allclose(found.emotion[0], calibrated(shares), atol=1e-3)

    params_with(tmp_path, trained | {"features.wavlm.layers": [0]})
    with pytest.raises(ValueError, match=r"features\.wavlm\.layers \[0\], but .* has the layers \[1, 3\]; run `dvc"):
        main(pretrain_audio)
    assert store.views[0] == CLEAN
