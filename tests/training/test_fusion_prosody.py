"""Prosody in the stages fusion, va and evaluate, and in predict."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_params import params_with
from trained_project import CHANGES, main, rows

from avemotion.formats.feature_store import FeatureStore
from avemotion.models.fusion.build import build_fusion
from avemotion.params import fusion as fusion_params
from avemotion.scoring import model_facts
from avemotion.training import speaker_statistics
from avemotion.training.common import checkpoint
from avemotion.training.fusion import prosody_input
from commands import predict
from stages import fusion, va

INPUTS = {"fusion.inputs": ["audio", "video", "prosody"]}
SPEAKERS = {"a1": "S1", "a2": "S1", "b1": "S2", "b2": "S2", "c1": "S3", "c2": "S3"}


def test_statistics_are_those_of_the_training_clips_or_of_each_speaker(own):
    Path("data/models/pretrain_audio").mkdir()
    Path("data/models/pretrain_audio/model.json").write_text("{}")
    cache = FeatureStore(Path("data/features/prosody/emotion"))
    raw = np.concatenate([cache.get(clip, "functionals") for clip in SPEAKERS])
    by_clip = {}
    for normalise in ("corpus", "speaker"):
        params_with(own, CHANGES | INPUTS | {"fusion.mode": "gated", "fusion.normalise": normalise})
        main(fusion)
        config, model = checkpoint.rebuild(Path("data/models/fusion"), build_fusion)
        by_clip[normalise] = prosody_input.rows("emotion", SPEAKERS, normalise)
        expected = raw if normalise == "corpus" else speaker_statistics.standardized(raw, list(SPEAKERS.values()))
        np.testing.assert_allclose(model.prosody.standardize.mean, expected[:3].mean(0), rtol=1e-4, atol=1e-5)
        assert config.get("by_speaker") == (["prosody"] if normalise == "speaker" else None)
        assert model_facts.speaker_inputs("emotion", []) == (normalise == "speaker")
        given = np.stack([by_clip[normalise](clip).numpy() for clip in SPEAKERS])
        np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-4)
    shares = rows("fusion/prosody_shares.csv")
    assert list(shares.index) == ["b2", "c1", "c2"] and shares["share"].between(0, 1).all()
    assert set(rows("fusion/conditions.csv")["condition"]) == {"audio_only", "video_only"}  # no noise


def test_the_fused_embedding_of_va_takes_the_statistics_of_its_own_speakers(own, capsys):
    params_with(own, CHANGES | INPUTS | {"fusion.mode": "late", "fusion.normalise": "speaker"})
    main(fusion)
    params_with(own, CHANGES | INPUTS | {"fusion.mode": "late", "va.inputs": ["fused"], "va.state.kind": "none"})
    main(va)
    assert json.loads(Path("data/models/va/fold_1/model.json").read_text())["fusion_by_speaker"] == ["prosody"]
    assert model_facts.speaker_inputs("affect", [1, 2, 3])
    capsys.readouterr()
    main(predict, "c1.mov", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["speaker_statistics"] is True
    assert any("the models use statistics of the" in note for note in answer["recordings"][0]["notes"])
    # One recording of a speaker has no spread: its functionals are 0 by themselves, those of c1 beside c2 are +-1.
    table = pd.read_csv("data/models/fusion/predictions.csv").set_index("id")
    assert answer["recordings"][0]["emotion"]["angry"] != pytest.approx(table.loc["c1", "p_angry"], abs=1e-6)


BAD = [
    ({"fusion.inputs": ["video", "audio"]}, r"inputs is \['video', 'audio'\]; give \[audio, video\] or"),
    (INPUTS | {"fusion.mode": "audio"}, r"prosody, but mode is audio; modes with prosody: concat, gated, late, xattn"),
    (
        INPUTS | {"fusion.mode": "late", "fusion.epochs": 0, "fusion.head_epochs": 0},
        r"epochs is 0 and head_epochs 0; .*prosody has no pretrained model",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=str)
def test_params_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        fusion_params.configure(params_with(tmp_path, changes))
