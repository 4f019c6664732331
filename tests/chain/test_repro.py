"""`dvc repro` on a very small sample: it leaves nothing to do, and an ablation re-runs only what it changes."""

import json
import shutil

import pytest
from chain import session

pytestmark = pytest.mark.slow
PASSED = "data/check/passed.txt"


def ran(log: str) -> list[str]:
    return [line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")]


def test_repro_leaves_nothing_to_do(reproduced):
    log = session(reproduced, "dvc status", "dvc repro")
    assert log.count("Data and pipelines are up to date") == 2 and ran(log) == []
    left = {path.name for path in (reproduced / "data/work").iterdir()}
    assert left <= {"manifest", "features", "locks"}  # what is known of media and content; training leaves nothing


def test_ablation_runs_only_what_is_downstream(reproduced, tmp_path):
    """Another fusion mode re-runs fusion, va, evaluate and report; metrics and plots compare with the baseline.

    Asked for the emotion scores alone, it trains no fold of va.
    """
    check, folder = (reproduced / PASSED).read_bytes(), tmp_path / "clone"
    shutil.copytree(reproduced, folder, symlinks=True)
    log = session(
        folder,
        "git add .",
        "git commit -q -m baseline",
        "dvc exp run -S fusion.mode=concat -S xattn.heads=2 -n ablation",
        "dvc metrics diff",
        "dvc exp show --csv",
        "dvc plots diff HEAD workspace -o compared",
    )
    assert ran(log) == ["check", "fusion", "va", "evaluate@emotion", "evaluate@affect", "report"]
    assert "test.macro_f1" in log and "ablation" in log
    assert "plots" in (folder / "compared/index.html").read_text(encoding="utf-8")
    assert (folder / PASSED).read_bytes() == check
    va = {file: file.stat().st_mtime_ns for file in (folder / "data/models/va").rglob("*.safetensors")}
    before = json.loads((folder / "metrics/detail/emotion.json").read_text())
    log = session(folder, "dvc exp run -S fusion.mode=gated -n half evaluate@emotion")
    assert ran(log) == ["check", "fusion", "evaluate@emotion"] and len(va) > 0
    assert {file: file.stat().st_mtime_ns for file in va} == va
    assert json.loads((folder / "metrics/detail/emotion.json").read_text()) != before
