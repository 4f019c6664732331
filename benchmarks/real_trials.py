"""Trainings of a stage on recordings of people: a project per setting, a process per fold, nothing trained twice."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.formats import clips, labels
from avemotion.sweep import recipes

ROOT = Path(__file__).resolve().parents[1]
TRAIN = """
import importlib, sys, time
from pathlib import Path
from avemotion.system.outputs import whole_folder
from avemotion.training.common.folds import Fold
stage = importlib.import_module(f"stages.{sys.argv[1]}")
with whole_folder(Path(sys.argv[4])) as folder:
    stage.train(stage.configure(Path("params.yaml")), Fold(test=int(sys.argv[2]), val=int(sys.argv[3])), folder)
Path(f"{sys.argv[4]}.seconds").write_text(str(time.process_time()))
"""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Manifests and features of a corpus below `folder`, and the params that all its trainings share."""

    folder: Path
    preset: str
    changes: Mapping[str, Any]  # by dotted key, such as corpora.emotion
    kinds: Sequence[str]  # of features

    def params(self, changes: Mapping[str, Any]) -> dict:
        """params.yaml with the preset and changes."""
        content = recipes.load(ROOT / "params.yaml")
        recipes.apply(content, recipes.recipe(self.preset))
        for key, value in {"compute.workers": 1, "compute.threads": 1, **self.changes, **changes}.items():
            *path, last = key.split(".")
            section = content
            for name in path:
                section = section[name]
            if last not in section:
                raise ValueError(f"{key}: no such key in params.yaml")
            section[last] = value
        return content

    def data(self, changes: Mapping[str, Any]) -> Path:
        """A project with the manifest and the features of params with changes; computed once per setting of them."""
        params = self.params(changes)
        parts = [params[name] for name in ("corpora", "manifest", "features", "views")]
        project = self.folder / "data" / blake2b(repr(parts).encode(), digest_size=6).hexdigest()
        if not (project / clips.FOLDER).exists():
            (project / "data/none").mkdir(parents=True, exist_ok=True)
            recipes.write(project / "params.yaml", params)
            python(project, "-m", "stages.manifest")
        for kind in self.kinds:
            if not (project / "data/features" / kind).exists():
                python(project, "-m", "stages.features", kind, "--role", "emotion")
        return project

    def folds(self) -> list[int]:
        """Numbers of the folds."""
        return list(labels.read_facts("emotion", self.data({}) / clips.FOLDER).folds)

    def project(self, name: str, changes: Mapping[str, Any]) -> Path:
        """The folder of a setting, for `train`; its data is that of `data`.

        Raises:
            ValueError: the folder is of another setting.
        """
        params, data, out = self.params(changes), self.data(changes), self.folder / name
        if (out / "params.yaml").exists() and recipes.load(out / "params.yaml") != params:
            raise ValueError(f"{out}: trained with other params; remove it to train anew")
        if not out.exists():
            (out / "data/none").mkdir(parents=True)
            for part in ("manifest", "features"):
                (out / "data" / part).symlink_to((data / "data" / part).resolve())
            recipes.write(out / "params.yaml", params)
        return out


def train(stage: str, project: Path, fold: int, below: Path = Path()) -> None:
    """Train a stage for one fold in project/<below>/fold_<k>, unless that is done."""
    facts = labels.read_facts("emotion", project / clips.FOLDER)
    out = below / f"fold_{fold}"
    if not (project / out).is_dir():
        (project / below).mkdir(exist_ok=True)
        python(project, "-c", TRAIN, stage, str(fold), str(facts.validation_of(fold)), str(out))
        print(f"{project.name}: fold {fold} trained", flush=True)


def python(folder: Path, *arguments: str) -> None:
    """Python in folder, on one thread; its output goes to folder/log.txt.

    Raises:
        RuntimeError: it fails; the message has the end of the log.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, stdout=log, stderr=log)
    if done.returncode:
        end = (folder / "log.txt").read_text(encoding="utf-8").splitlines()[-5:]
        raise RuntimeError("\n".join([f"{folder}: {arguments[0]} {arguments[1][:30]} failed", *end]))


def side_by_side(jobs: Sequence[Any], workers: int) -> None:
    """Call every job, `workers` at a time; the first error stops those that have not begun."""
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def cpu_seconds(folder: Path) -> float:
    """Mean CPU time of a training in a folder, its predictions and the start of its process among it."""
    return float(np.mean([float(file.read_text(encoding="utf-8")) for file in folder.glob("fold_*.seconds")]))
