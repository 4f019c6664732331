"""Every example of docs/extending.md, in a copy of the project: one file where the page says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import recordings
import results_toys
import soundfile
import yaml
from project_params import REPO, params_with
from sklearn.metrics import mean_absolute_error

from avemotion.formats.feature_store import FeatureStore
from avemotion.media.pictures import read_frames

PAGE = REPO / "docs/extending.md"


def example(file: str) -> str:
    """The code below the heading that names a file."""
    after = PAGE.read_text(encoding="utf-8").split(f"`{file}`\n", 1)[1]
    return re.search(r"```python\n(.*?)```", after, re.DOTALL)[1]


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """The project's packages and params, as working folder."""
    for package in ("avemotion", "stages"):
        shutil.copytree(REPO / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(file: str) -> None:
    Path(file).write_text(example(file), encoding="utf-8")


def run(*arguments: str, fails: bool = False) -> str:
    """`python ARGUMENTS` in the working folder: what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments], env=os.environ | {"PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_corpus(copy):
    (copy / "studio").mkdir()
    for seed, name in enumerate(("ann_joy_1", "bob_anger_1", "cid_neutral_1", "cid_joy_2", "cid_sulk_3")):
        soundfile.write(copy / f"studio/{name}.wav", recordings.voice(0.5, 150, seed), 16000)
    params_with(
        copy,
        {
            "corpora.emotion": {"name": "studio", "root": "studio"},
            "corpora.affect": {"name": None, "root": "data/none"},
            "manifest.emotion.split": "actor_kfold",
            "manifest.emotion.folds": 3,
            "manifest.max_rejected": 0.25,
        },
    )
    add("avemotion/corpora/studio.py")
    printed = run("-m", "stages.manifest", "--check")
    assert "studio at studio: 4 clips" in printed and "1 x name is not speaker_emotion_number" in printed
    run("-m", "stages.manifest")
    rejected = pd.read_csv("data/manifest/emotion/rejected.csv")
    assert rejected.shape[0] == 1 and "sulk" in rejected.to_string()
    labels = pd.read_csv("data/manifest/emotion/labels.csv").set_index("id")
    assert labels["emotion"].to_dict() == {
        "ann_joy_1": "joy",
        "bob_anger_1": "anger",
        "cid_joy_2": "joy",
        "cid_neutral_1": "neutral",
    }
    add("avemotion/protocols/studio_thirds.py")
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["manifest"]["emotion"] |= {"split": "protocol", "protocol": "thirds"}
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    run("-m", "stages.manifest")
    labels = pd.read_csv("data/manifest/emotion/labels.csv").set_index("id")
    assert labels["split"].tolist() == [1, 2, 3, 3]
    facts = json.loads(Path("data/manifest/emotion/corpus.json").read_text(encoding="utf-8"))
    assert (facts["protocol"], facts["validates"]) == ("thirds", {"1": 3, "2": 1, "3": 2})


def test_a_feature(copy):
    sine = 0.5 * np.sin(2 * np.pi * 100 * np.arange(16000) / 16000)  # 100 whole periods
    recordings.write_manifest({"loud": sine, "faint": sine / 10})
    recordings.write_params({"features.loudness": {"max_seconds": 60.0}})
    add("avemotion/features/loudness.py")
    run("-m", "stages.features", "loudness")
    store = FeatureStore(Path("data/features/loudness/emotion"))
    level = 20 * np.log10(0.5 / np.sqrt(2))  # root mean square of a sine: amplitude / sqrt(2)
    heard = {clip: store.get(clip, "loudness").item() for clip in ("loud", "faint")}
    assert heard == pytest.approx({"loud": level, "faint": level - 20}, abs=0.01)


def test_a_face_detector(copy):
    film = recordings.film(copy / "a.mp4", seed=1)
    recordings.write_manifest({"a": None}, {"a": film})
    shutil.move(film, "corpus/a.mp4")
    changes = {"features.frames.detector": "middle", "features.frames.margin": 0.0, "features.frames.size": 16}
    recordings.write_params(changes | {"features.frames.count": 1})
    add("avemotion/faces/detectors/middle.py")
    printed = run("-m", "stages.features", "frames", "--role", "emotion")
    assert "clips_with_face 1 of 1" in printed
    store = FeatureStore(Path("data/features/frames/emotion"))
    assert store.facts["face_detector"] == "the middle of the picture"
    whole = read_frames(Path("corpus/a.mp4"), 1)[0][0]  # 48 x 64; the square about its middle has 32 pixels
    expected = cv2.resize(whole[8:40, 16:48], (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(store.get("a", "frames")[0], expected)


MODEL = """
import torch
from avemotion.models.fusion.build import build_fusion
torch.manual_seed(0)
model = build_fusion("product", 8, {"encoder": "cnn"}, {}, {"dropout": 0.5}).eval()
mel, pictures = torch.randn(2, 20, 64), torch.rand(2, 2, 3, 32, 32)
out = model(mel, torch.ones(2, 20, dtype=torch.bool), pictures, torch.ones(2, 2, dtype=torch.bool))
assert torch.equal(out.logits, model.classifier(out.embedding))
print(*out.logits.shape, *out.embedding.shape, out.gate)
"""


def test_a_fusion_mode(copy):
    add("avemotion/models/fusion/modes/product.py")
    params_with(copy, {"fusion.mode": "product"})
    printed = run("-m", "stages.check")
    assert "xattn.d_model (fusion.mode is product)" in printed  # the mode takes dropout alone
    assert "fusion.dropout" not in printed
    assert run("-c", MODEL).split() == ["2", "8", "2", "256", "None"]
    params_with(copy, {"fusion.mode": "prodcut"})
    assert "'prodcut'" in (printed := run("-m", "stages.check", fails=True)) and "product" in printed


def test_a_va_interaction(copy):
    add("avemotion/models/va/interactions/added_prosody.py")
    params_with(copy, {"va.interaction": "added"})
    run("-m", "stages.check")
    params_with(copy, {"va.interaction": "added", "va.inputs": ["speech"]})
    assert "prosody" in run("-m", "stages.check", fails=True)


def test_a_reported_metric(copy, results):
    shutil.copytree(results, copy, dirs_exist_ok=True)
    file = Path("avemotion/scoring/reported_metrics.py")
    *_, entry = (code := example(str(file))).strip().splitlines()
    name = entry.split(" = ")[0]
    text = file.read_text(encoding="utf-8")
    old = re.search(rf"^{name}: .*$", text, re.MULTILINE)[0]
    file.write_text(text.replace(old, code.split("  #")[0]), encoding="utf-8")
    run("-m", "stages.evaluate", "affect")
    turns = pd.concat(pd.read_csv(file) for file in Path("data/models/va").glob("*/predictions.csv"))
    turns = turns[(turns.split == "test") & turns.valence.notna()]
    expected = mean_absolute_error(turns.valence, turns.valence_predicted)
    assert results_toys.detail(copy, "affect")["mae_valence"] == pytest.approx(expected, abs=1e-6) != 0
