"""The whole chain on a sample that is as small as every stage allows."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from project_params import REPO
from toy_project import session

from benchmarks import small_project
from benchmarks.small_project import OUTS, digests, run

__all__ = ["ALL", "OUTS", "digests", "make", "params", "reproduce", "run", "session"]
ALL = (
    *("check", "sample", "manifest", "features", "faces", "pretrain_audio", "pretrain_face", "pretrain_video"),
    *("baseline", "fusion", "va", "evaluate", "transfer", "report"),
)
TINY = {
    "compute.workers": 2,
    "compute.threads": 1,
    "sample.ravdess.actors": [1, 17, 21],
    "sample.ravdess.width": 160,
    "sample.ravdess.height": 120,
    "sample.ravdess.fps": 8.0,
    "sample.iemocap.turns": 4,
    "sample.iemocap.width": 240,
    "sample.iemocap.height": 160,
    "sample.iemocap.fps": 6.0,
}
# Every stage in one process, in the order of the chain, as `python -m stages.NAME` would run it.
CHAIN = """
import importlib, sys
for name in sys.argv[1:]:
    sys.argv = [name, "--params", "params.yaml"]
    importlib.import_module(f"stages.{name}").main()
"""


def params(changes: Mapping[str, Any]) -> str:
    """params.yaml for a small chain; changes by dotted key."""
    return small_project.params(TINY | dict(changes))


def reproduce(folder: Path, changes: Mapping[str, Any]) -> Path:
    """A clone of the project with these params, after `dvc repro`."""
    small_project.clone(folder, TINY | dict(changes))
    run(folder, "dvc", "repro")
    return folder


def make(folder: Path, changes: Mapping[str, Any], stages: Iterable[str] = ALL) -> str:
    """Stages without DVC in one process, in folder; returns what they print."""
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(params(changes), encoding="utf-8")
    return run(folder, sys.executable, "-c", CHAIN, *stages, PYTHONPATH=str(REPO))
