"""`speech.revision` against a small hub, through the real clients of transformers."""

import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import soundfile
import speech_toys
import torch
from recordings import voice, write_manifest, write_params
from small_hub import SmallHub, connected
from trained_project import main
from transformers import BertConfig

from avemotion.datasets.audio_features import AudioSource
from avemotion.features import wavlm
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.speech import pretrained
from avemotion.params.training import speech
from avemotion.prediction import feature_settings
from avemotion.training.emotion import audio_input
from stages import features

REPO = "studio/hubert-small"
PREPROCESSOR = "preprocessor_config.json"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[SmallHub]:
    """A hub with two revisions of a HuBERT, and an empty local cache."""
    monkeypatch.chdir(tmp_path)
    small = connected(monkeypatch, tmp_path / "cache")
    model = speech_toys.make("hubert base")
    for revision, shift in (("main", 0.0), ("v1", 1.0)):
        folder = tmp_path / revision
        with torch.no_grad():
            model.encoder.layer_norm.bias += shift
            model.encoder.layers[-1].final_layer_norm.bias += shift
        model.save_pretrained(folder)
        (folder / PREPROCESSOR).write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}))
        small.add(REPO, revision, folder)
    yield small
    small.stop()


def norm_bias(model) -> torch.Tensor:
    return model.encoder.layer_norm.bias


def test_a_revision_selects_the_weights(hub):
    default, first = pretrained.load(REPO), pretrained.load(f"{REPO}@v1")
    torch.testing.assert_close(norm_bias(first), norm_bias(default) + 1)
    same = pretrained.load(f"{REPO}@{hub.commit(REPO, 'v1')}")
    torch.testing.assert_close(norm_bias(same), norm_bias(first), rtol=0, atol=0)
    assert pretrained.commit(REPO) == hub.commit(REPO, "main") != hub.commit(REPO, "v1")
    assert pretrained.commit(f"{REPO}@v1") == hub.commit(REPO, "v1")


def test_training_starts_from_the_commit_of_the_cache(hub):
    file = write_params({"speech.model": REPO})
    write_manifest({"a": voice(0.7, 110, 0)})
    main(features, "wavlm", "--role", "emotion")
    before = pretrained.load(REPO).encoder.layers[-1].final_layer_norm.bias
    hub.folders[REPO]["main"] = hub.folders[REPO]["v1"]  # the branch moves
    assert not torch.equal(pretrained.load(REPO).encoder.layers[-1].final_layer_norm.bias, before)

    source = AudioSource(FeatureStore(Path("data/features/wavlm/emotion")), "boundary")
    cached = audio_input.cached_speech(source, speech.read(file))
    model = build_audio(2, {"encoder": "wavlm", "model": REPO, "unfreeze_layers": 2})
    audio_input.start(model, cached, ())
    torch.testing.assert_close(model.top.layers["4"].final_layer_norm.bias, before, rtol=0, atol=0)


@pytest.mark.parametrize("revision", [None, "v1"])
def test_the_cache_names_the_commit_and_new_recordings_are_extracted_from_it(hub, revision):
    commit = hub.commit(REPO, revision or "main")
    file = write_params({"speech.model": REPO, "speech.revision": revision})
    write_manifest({"a": voice(0.7, 110, 0)})
    main(features, "wavlm", "--role", "affect")
    store = FeatureStore(Path("data/features/wavlm/affect"))
    assert store.facts["commit"] == commit
    assert store.settings["speech"] == {"model": f"{REPO}@{commit}", "unfreeze_layers": 2}
    assert feature_settings.changed({"wavlm": store.settings}, file) == ([] if revision is None else ["wavlm"])

    hub.folders[REPO][revision or "main"] = hub.folders[REPO]["v1" if revision is None else "main"]  # the branch moves
    waveform, _ = soundfile.read("corpus/a.wav", dtype="float32")
    views, _ = wavlm.restore(store.settings, "cpu").extract_waveform("a", waveform)
    np.testing.assert_array_equal(views["clean"]["last"], store.get("a", "last"))


def test_a_model_in_the_local_cache_needs_no_network(hub, monkeypatch):
    online = pretrained.load(f"{REPO}@v1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub.folders.clear()
    torch.testing.assert_close(norm_bias(pretrained.load(f"{REPO}@v1")), norm_bias(online), rtol=0, atol=0)
    with pytest.raises(
        ValueError, match=r"^speech\.model is 'studio/hubert-small@v2', but it is neither in the local cache"
    ):
        pretrained.load(f"{REPO}@v2")


def other_rate(folder: Path) -> None:
    (folder / PREPROCESSOR).write_text(json.dumps({"do_normalize": True, "sampling_rate": 8000}))


FAULTS = {
    "no such revision": (
        f"{REPO}@v9",
        None,
        r"'studio/hubert-small', which has no revision 'v9'; give a branch, tag or co",
    ),
    "no such model": (
        "studio/none",
        None,
        r"'studio/none', which is neither a folder nor a public model of the hub; corr",
    ),
    "no speech encoder": (
        REPO,
        lambda folder: BertConfig().save_pretrained(folder),
        r"has model_type bert; give one of W",
    ),
    "no model of transformers": (
        REPO,
        lambda folder: (folder / "config.json").unlink(),
        r"which has no config\.json with a model_type, so it is no model of transformers; give a speech model",
    ),
    "another kind of config": (
        REPO,
        lambda folder: (folder / "config.json").write_text("[1]"),
        r"which has no config\.json with a model_type",
    ),
    "another rate": (REPO, other_rate, r"has sampling_rate 8000; sound is read at 16000 Hz"),
    "no preprocessor": (
        REPO,
        lambda folder: (folder / PREPROCESSOR).unlink(),
        r"its preprocessor_config\.json, which says",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_hub_does_not_have_is_one_line(hub, fault):
    name, change, message = FAULTS[fault]
    if change:
        change(hub.folders[REPO]["main"])
    with pytest.raises(ValueError, match=rf"^speech\.model is .*{message}") as raised:
        pretrained.load(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "revision", "message"),
    [
        ("tiny", "main", r"revision is 'main', but model is 'tiny'; give null, or a branch, tag or commit of a hub id"),
        ("folder", "main", r"revision is 'main', but model is 'folder'; give null"),
        (REPO, "", r"revision is '', but model is"),
        (f"{REPO}@v1", None, r"model is 'studio/hubert-small@v1'; give what follows the @ as revision"),
    ],
)
def test_a_revision_is_of_a_hub_id(tmp_path, monkeypatch, model, revision, message):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(ValueError, match=rf"speech: {message}|speech\.{message}"):
        speech.read(write_params({"speech.model": model, "speech.revision": revision}))
