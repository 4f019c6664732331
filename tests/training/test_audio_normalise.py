"""audio.normalise: the audio input relative to the training clips or to each speaker's own clips."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from project_params import params_with
from results_toys import facts
from trained_project import CHANGES, calibrated, main, rows

from avemotion.formats import feature_store, labels
from avemotion.formats.feature_store import CLEAN
from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.blocks import Standardize
from avemotion.training.common import checkpoint
from commands import predict
from stages import fusion, pretrain_audio, va

SIZE = 128  # hidden size of the model tiny
ALONE = {"speech.unfreeze_layers": 0, "pretrain_audio.head_epochs": 0, "pretrain_audio.epochs": 12}
ALONE |= {"augment.audio.views": {"clean": 1}, "compute.workers": 1, "compute.loader_workers": 0}


def test_statistics_of_rows_in_parts_are_those_of_all_rows():
    rows = torch.randn(40, 3) * torch.tensor([1.0, 20.0, 0.0]) + torch.tensor([0.0, 300.0, 7.0])
    whole, parts = Standardize(3), Standardize(3)
    whole.fit(rows)
    parts.fit_parts(rows.split([1, 30, 9]))
    torch.testing.assert_close(parts.mean, whole.mean)
    torch.testing.assert_close(parts.std, whole.std)


def corpus(kind: str) -> dict[str, np.ndarray]:
    """Eight speakers with two emotions that move one direction by 2, and a voice that moves it by more."""
    rng, clips, known = np.random.default_rng(3), {}, []
    size = SIZE if kind == "wavlm" else 16
    direction = rng.normal(size=size) / np.sqrt(size)
    for speaker in range(8):
        voice = 10.0 * (speaker - 3.5) * direction
        for i in range(10):
            clip, label = f"s{speaker}-{i}", i % 2
            clips[clip] = (voice + (2 * label - 1) * 2 * direction + 0.1 * rng.normal(size=(6, size))).astype("f4")
            split = "test" if speaker in (2, 5) else "val" if speaker == 4 else "train"
            emotion = "happy" if label else "angry"
            known.append({"id": clip, "speaker": f"S{speaker}", "label": emotion, "emotion": emotion, "split": split})
    arrays = {clip: {"last": values} for clip, values in clips.items()}
    if kind == "mel":
        arrays = {clip: {"mel": values, "length": np.array([6], "i4")} for clip, values in clips.items()}
    speech = {"model": "tiny", "unfreeze_layers": 2}
    settings = {"settings": {"params": {"seconds": None}, "speech": speech}, "hop_seconds": 0.02}
    views = ((clip, {CLEAN: of}) for clip, of in sorted(arrays.items()))
    feature_store.write(Path("data/features") / kind / "emotion", [CLEAN], views, settings)
    labels.write("emotion", known, facts("emotion", classes=["angry", "happy"]))
    return clips


@pytest.mark.parametrize(("encoder", "kind"), [("wavlm", "wavlm"), ("resnet_asp", "mel")])
def test_voices_that_differ_more_than_emotions(tmp_path, monkeypatch, encoder, kind):
    monkeypatch.chdir(tmp_path)
    clips = corpus(kind)
    right = {}
    for normalise in ("none", "speaker"):
        params_with(tmp_path, ALONE | {"audio.encoder": encoder, "audio.dim": 16, "audio.normalise": normalise})
        main(pretrain_audio)
        table = pd.read_csv("data/models/pretrain_audio/predictions.csv").query("split == 'test'")
        right[normalise] = (table["label"] == table["predicted"]).mean()
        config = json.loads(Path("data/models/pretrain_audio/model.json").read_text())
        assert config.get("by_speaker") == ([kind] if normalise == "speaker" else None)
    assert right["speaker"] > 0.95 and right["speaker"] > right["none"] + 0.2, right
    if encoder == "wavlm":
        params_with(tmp_path, ALONE | {"audio.normalise": "corpus"})
        main(pretrain_audio)
        config = json.loads(Path("data/models/pretrain_audio/model.json").read_text())
        model = build_audio(2, config["audio"])
        model.load_state_dict(checkpoint.read_weights(Path("data/models/pretrain_audio/model.safetensors")))
        training = np.concatenate([clips[f"s{s}-{i}"] for s in (0, 1, 3, 6, 7) for i in range(10)]).astype(float)
        np.testing.assert_allclose(model.normalize.mean, training.mean(0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(model.normalize.std, training.std(0), rtol=1e-4)
        states, mask = torch.from_numpy(training[None, :6]).float(), torch.ones(1, 6, dtype=torch.bool)
        by_hand = ((training[:6] - training.mean(0)) / training.std(0)).mean(0)
        np.testing.assert_allclose(model.eval().encode(states, mask)[0].detach(), by_hand, rtol=1e-3, atol=1e-3)


def test_recordings_of_the_speaker_give_a_new_recording_the_numbers_of_the_pipeline(own, capsys):
    """c1 and c2 are all clips of their speaker: --speaker with both gives the statistics of the corpus."""
    params_with(
        own,
        CHANGES
        | {"speech.unfreeze_layers": 0, "audio.normalise": "speaker", "xattn.head": "gated"}
        | {"fusion.inputs": ["audio", "video", "prosody"], "fusion.normalise": "speaker", "va.finetune_layers": 0}
        | {"va.normalise": {"prosody": "speaker", "speech": "speaker"}, "va.speech_from": "wavlm"},
    )
    main(fusion)
    main(va)
    Path("speaker").mkdir()
    for name in ("c1.mov", "c2.mov"):
        shutil.copy(name, "speaker")
    capsys.readouterr()
    main(predict, "c1.mov", "--speaker", "speaker", "--json")
    told = json.loads(capsys.readouterr().out)
    (answer,) = told["recordings"]
    shares = rows("fusion/predictions.csv").loc["c1", ["p_angry", "p_happy"]]
    assert list(answer["emotion"].values()) == pytest.approx(calibrated(shares), abs=1e-4)
    assert told["speaker_statistics"] is True
    assert any("use statistics of the 2 windows of --speaker with sound" in note for note in answer["notes"])
    main(predict, "c1.mov", "--json")
    alone = json.loads(capsys.readouterr().out)["recordings"][0]
    assert list(alone["emotion"].values()) != pytest.approx(calibrated(shares), abs=1e-4)
    # The speaker embedding of c1 is its own in the corpus, but the mean of both with --speaker, so without it in va:
    params_with(
        own,
        CHANGES
        | {"speech.unfreeze_layers": 0, "va.inputs": ["speech", "prosody", "fused"], "va.speech_from": "wavlm"}
        | {"va.normalise": {"prosody": "speaker", "speech": "speaker"}, "va.finetune_layers": 0},
    )
    main(va)
    capsys.readouterr()
    main(predict, "c1.mov", "--speaker", "speaker", "--json")
    (answer,) = json.loads(capsys.readouterr().out)["recordings"]
    expected = rows("va/fold_3/predictions.csv").loc["c1", "valence_predicted"]
    assert answer["valence"]["folds"][2] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("stage", [pretrain_audio, fusion])
def test_the_input_of_trained_layers_is_not_standardised(tmp_path, stage):
    file = params_with(tmp_path, {"audio.normalise": "speaker"})
    with pytest.raises(ValueError, match=r"audio\.normalise is speaker, but speech\.unfreeze_layers is 2: .*layers 0"):
        stage.configure(file)
