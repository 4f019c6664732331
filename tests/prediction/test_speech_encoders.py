"""Another speech encoder than WavLM through the whole chain: features, fusion, va, predict."""

import json
from pathlib import Path

import numpy as np
import pytest
import speech_toys
import trained_project
from trained_project import calibrated, rows

import avemotion


@pytest.mark.parametrize("name", ["hubert base", "data2vec-audio base", "wav2vec2 large"])
@pytest.mark.slow
def test_predictions_are_those_of_the_trained_models(tmp_path, monkeypatch, name):
    speech_toys.make(name).save_pretrained(tmp_path / "weights")
    preprocessor = json.dumps({"do_normalize": True, "sampling_rate": 16000})
    (tmp_path / "weights/preprocessor_config.json").write_text(preprocessor)
    changes = {"speech.model": "weights", "features.wavlm.layers": [1, 2]}
    changes |= {"va.finetune_layers": 1, "va.layers": "learned"}
    changes |= {"audio.layers": "learned", "audio.lora": {"rank": 2, "alpha": 4, "dropout": 0.1}}
    monkeypatch.setattr(trained_project, "CHANGES", trained_project.CHANGES | changes)
    monkeypatch.chdir(trained_project.build(tmp_path))
    expected = rows("fusion/predictions.csv")
    for clip in ("c1", "c2"):
        found = avemotion.load().predict(Path(f"{clip}.mov"))
        shares = [float(expected.loc[clip, f"p_{label}"]) for label in trained_project.CLASSES]
        np.testing.assert_allclose(found.emotion[0], calibrated(shares), atol=1e-3)
