"""The whole chain on a very small sample: with DVC, without it, twice, and with one param changed."""

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
import yaml
from dag import ROOT

from benchmarks import small_project
from benchmarks.small_project import digests, run

pytestmark = pytest.mark.slow

# Every stage in one process, in the order of the chain, as `python -m stages.NAME` would run it.
CHAIN = """
import importlib, sys
for name in "sample manifest features pretrain_audio pretrain_video fusion va evaluate".split():
    sys.argv = [name, "--params", "params.yaml"]
    importlib.import_module(f"stages.{name}").main()
"""


def small_params(workers: int, **changes: object) -> str:
    return small_project.params({"compute.workers": workers} | changes)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> Path:
    """A clone in which `dvc repro` has run with two workers."""
    return reproduce(tmp_path_factory.mktemp("pipeline") / "clone", {"compute.workers": 2})


def reproduce(folder: Path, changes: dict[str, object]) -> Path:
    """A clone of the project with these params, after `dvc repro`."""
    small_project.clone(folder, changes)
    run(folder, "dvc", "repro")
    return folder


def test_repro_leaves_nothing_to_do(reproduced):
    assert "up to date" in run(reproduced, "dvc", "status")
    assert "Data and pipelines are up to date" in run(reproduced, "dvc", "repro")
    left = {path.name for path in (reproduced / "data/work").iterdir()}
    assert left <= {"manifest", "features", "locks"}  # what is known of media and content; training leaves nothing


def test_two_folders_same_bytes(reproduced, tmp_path):
    """Without DVC, in another folder, in one process instead of several: the same bytes of every out."""
    (tmp_path / "params.yaml").write_text(small_params(workers=1))
    shutil.copytree(reproduced / "data/Noise", tmp_path / "data/Noise")
    run(tmp_path, sys.executable, "-c", CHAIN, PYTHONPATH=str(ROOT))
    first, second = digests(reproduced), digests(tmp_path)
    assert len(first) > 50
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_killed_va_resumes(reproduced, tmp_path):
    """SIGKILL after some folds: they are not trained again, and the bytes equal the undisturbed run's."""
    for name in ("params.yaml", "data/manifest", "data/features", "data/models/fusion"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(reproduced / name)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
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
    assert f"{len(finished)} finished before" in run(tmp_path, *command, PYTHONPATH=str(ROOT))
    folds = tmp_path / "data/models/va"
    assert {name: (folds / name).stat().st_mtime_ns for name in finished} == finished
    for file in sorted((reproduced / "data/models/va").rglob("*.*")):
        assert file.read_bytes() == (folds / file.relative_to(reproduced / "data/models/va")).read_bytes(), file


def test_actor_folds_test_every_clip_once(reproduced, tmp_path):
    """One model a fold in each emotion stage, the same bytes whatever runs side by side, scored over all folds."""
    for name in ("data/sample", "data/features", "data/models/va"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(reproduced / name)
    content = yaml.safe_load(small_params(workers=2))
    content["manifest"]["emotion"] |= {"split": "actor_kfold", "folds": 3}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    stages = ("manifest", "pretrain_audio", "pretrain_video", "fusion", "evaluate")
    for stage in stages:
        run(tmp_path, sys.executable, "-m", f"stages.{stage}", PYTHONPATH=str(ROOT))
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
    scores = json.loads((tmp_path / "metrics/emotion.json").read_text())
    assert scores["clips"] == len(labels)

    first = digests(tmp_path)
    shutil.rmtree(models / "fusion")
    content["compute"]["workers"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    run(tmp_path, sys.executable, "-m", "stages.fusion", PYTHONPATH=str(ROOT))
    assert digests(tmp_path) == first


def test_dag_shows_the_chain(reproduced):
    lines = run(reproduced, "dvc", "dag", "--dot")
    for a, b in [
        ("sample/dvc.yaml:sample@ravdess", "manifest"),
        ("manifest", "features_wavlm@emotion"),
        ("features_wavlm@emotion", "pretrain_audio"),
        ("features_frames@emotion", "pretrain_video"),
        ("pretrain_audio", "fusion"),
        ("pretrain_video", "fusion"),
        ("fusion", "va"),
        ("features_prosody@affect", "va"),
        ("va", "evaluate"),
    ]:
        assert f'"{a}" -> "{b}"' in lines


def test_ablation_runs_only_what_is_downstream(reproduced):
    """Another fusion mode re-runs fusion, va and evaluate; metrics and plots compare with the baseline."""
    run(reproduced, "git", "add", ".")
    run(reproduced, "git", "commit", "-q", "-m", "baseline")
    log = run(reproduced, "dvc", "exp", "run", "-S", "fusion.mode=concat", "-S", "xattn.heads=2", "-n", "ablation")
    ran = [line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")]
    assert ran == ["fusion", "va", "evaluate"]
    assert "test.macro_f1" in run(reproduced, "dvc", "metrics", "diff")
    assert "ablation" in run(reproduced, "dvc", "exp", "show", "--csv")
    run(reproduced, "dvc", "plots", "diff", "HEAD", "workspace", "-o", "compared")
    assert "plots" in (reproduced / "compared/index.html").read_text(encoding="utf-8")
