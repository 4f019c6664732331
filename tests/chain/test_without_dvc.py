"""The chain without DVC: the same bytes in another folder, after a kill, whatever runs side by side, and by halves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from chain import ALL, digests, make, run
from project_params import REPO

pytestmark = pytest.mark.slow
STAGES = [stage for stage in ALL if stage != "sample"]
NONE = {"name": None, "root": "data/none"}


def test_two_folders_same_bytes(reproduced, tmp_path):
    """Without DVC, in another folder, in one process instead of several: the same bytes of every out."""
    shutil.copytree(reproduced / "data/Noise", tmp_path / "data/Noise")
    make(tmp_path, {"compute.workers": 1}, ALL)
    first, second = digests(reproduced), digests(tmp_path)
    assert len(first) > 50
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_killed_va_resumes(reproduced, tmp_path):
    """SIGKILL after some folds: they are not trained again, and the bytes equal the undisturbed run's."""
    for name in ("params.yaml", "data/manifest", "data/features", "data/models/fusion"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(reproduced / name)
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "stages.va"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "data/work/va").glob("*/fold_*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {fold.name: fold.stat().st_mtime_ns for fold in (tmp_path / "data/work/va").glob("*/fold_*")}
    assert not (tmp_path / "data/models/va").exists()
    assert 1 <= len(finished) < 5
    assert f"{len(finished)} finished before" in run(tmp_path, *command, PYTHONPATH=str(REPO))
    folds = tmp_path / "data/models/va"
    assert {name: (folds / name).stat().st_mtime_ns for name in finished} == finished
    for file in sorted((reproduced / "data/models/va").rglob("*.*")):
        assert file.read_bytes() == (folds / file.relative_to(reproduced / "data/models/va")).read_bytes(), file


def test_actor_folds_test_every_clip_once(reproduced, tmp_path):
    """One model a fold in each emotion stage, the same bytes whatever runs side by side, scored over all folds."""
    for name in ("data/sample", "data/features", "data/models/va"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(reproduced / name)
    folds = {"manifest.emotion.split": "actor_kfold", "manifest.emotion.folds": 3}
    make(tmp_path, folds, ["manifest", "pretrain_audio", "pretrain_video", "baseline", "fusion", "evaluate"])
    labels = pd.read_csv(tmp_path / "data/manifest/emotion/labels.csv", dtype=str).set_index("id")
    models, tested = tmp_path / "data/models", []
    for fold in (1, 2, 3):
        predicted = pd.read_csv(models / f"fusion/fold_{fold}/predictions.csv", dtype=str)
        following = str(fold % 3 + 1)
        assert set(labels.split[predicted.id[predicted.split == "val"]]) == {following}
        test = list(predicted.id[predicted.split == "test"])
        assert set(labels.split[test]) == {str(fold)}
        tested += test
    assert sorted(tested) == sorted(labels.index)
    scores = json.loads((tmp_path / "metrics/detail/emotion.json").read_text())
    assert scores["clips"] == len(labels)

    first = digests(tmp_path)
    shutil.rmtree(models / "fusion")
    make(tmp_path, folds | {"compute.workers": 1}, ["fusion"])
    assert digests(tmp_path) == first


def metrics(folder: Path, role: str) -> dict[str, object]:
    """Headlines and details of a role."""
    texts = [(folder / f"metrics/{place}{role}.json").read_text(encoding="utf-8") for place in ("", "detail/")]
    headlines, detail = map(json.loads, texts)
    assert bool(headlines) == bool(detail) and len(headlines) <= 15
    return detail


def halves(folder: Path, half: tuple[str, ...]) -> dict[str, str]:
    """Digests of the files whose path has one of these parts."""
    return {name: digest for name, digest in digests(folder).items() if any(part in name for part in half)}


def test_emotion_alone(reproduced, with_sample):
    printed = make(with_sample, {"corpora.affect": NONE}, STAGES)
    assert "affect: corpora.affect names no corpus" in printed
    assert metrics(with_sample, "affect") == {}
    assert (with_sample / "plots/affect/README.md").read_text() == "corpora.affect names no corpus.\n"
    assert (with_sample / "data/models/va/README.md").is_file() and not list(with_sample.glob("data/models/va/*/*"))
    ours = ("/emotion", "models/pretrain", "models/fusion")
    assert halves(with_sample, ours) == halves(reproduced, ours)
    assert len(halves(with_sample, ours)) > 40
    page = (with_sample / "plots/report.html").read_text(encoding="utf-8")
    assert "macro" in page.lower()

    first = digests(with_sample)
    make(with_sample, {"corpora.affect": None}, STAGES)  # the whole section instead of its name
    changed = {name for name, digest in digests(with_sample).items() if first.get(name) != digest}
    assert changed <= {"plots/report.html"} and first.keys() == digests(with_sample).keys()


def test_affect_alone(reproduced, with_sample):
    changes = {"corpora.emotion": NONE, "va.inputs": ["speech", "prosody", "speaker"]}
    printed = make(with_sample, changes, STAGES)
    assert "emotion: corpora.emotion names no corpus" in printed
    assert metrics(with_sample, "emotion") == {}
    assert (with_sample / "plots/emotion/README.md").read_text() == "corpora.emotion names no corpus.\n"
    for stage in ("pretrain_audio", "pretrain_video", "fusion"):
        left = [file.name for file in (with_sample / "data/models" / stage).iterdir()]
        assert left == ["README.md"]
    folds = sorted(path.name for path in (with_sample / "data/models/va").iterdir())
    assert folds == [f"fold_{k}" for k in range(1, 6)]
    detail = metrics(with_sample, "affect")
    assert set(detail) == set(metrics(reproduced, "affect"))
    ours = ("features/wavlm/affect", "features/prosody/affect", "features/speaker/affect", "manifest/affect")
    assert halves(with_sample, ours) == halves(reproduced, ours)
    assert (with_sample / "plots/report.html").is_file()

    first = digests(with_sample)
    make(with_sample, changes | {"corpora.emotion": None}, STAGES)
    changed = {name for name, digest in digests(with_sample).items() if first.get(name) != digest}
    assert changed <= {"plots/report.html"} and first.keys() == digests(with_sample).keys()
