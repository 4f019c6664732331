"""Finished and failed runs of the chain, each with its own params: DVC experiments or plain folders."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from avemotion.comparison import paired, revisions
from avemotion.comparison.compared_models import MODELS
from avemotion.comparison.paired import Judged
from avemotion.scoring import results
from avemotion.scoring.results import On

# Sections that change no model, and the seed, over which scores are averaged.
UNVARIED = ("seed", "compute", "evaluate")
# Param that deals speakers into folds -> the split that reads it. Scores are averaged over it too.
DEALS = {"manifest.emotion.deal": ("emotion", "actor_kfold"), "manifest.affect.deal": ("affect", "speakers")}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run; a failed or unfinished one has no models."""

    name: str
    seed: int | None
    split: tuple[int, ...]  # numbers of the assignments of speakers to folds, those of DEALS; 0 where not used
    params: dict[str, str]  # dotted name -> value as JSON, without UNVARIED
    models: dict[str, Judged]  # trained models, by name in MODELS
    fault: str  # reason for missing scores; "" = finished


def experiments(commits: int, scratch: Path, on: On) -> list[Run]:
    """All DVC experiments derived from the last commits, finished or not.

    Args:
        commits: how many, HEAD included.
        scratch: an empty folder for their predictions.
        on: the rows that are scored, val or test; the same in the functions below.

    Raises:
        ValueError: this is no DVC project.
    """
    from dvc.api import exp_show
    from dvc.exceptions import DvcException

    try:
        listed = exp_show(num=commits)
    except DvcException as error:
        raise ValueError(f"DVC cannot list experiments here ({error}); run from the project's root") from error
    runs = []
    for row in listed:
        if row["typ"] == "baseline":
            continue
        name = row["Experiment"] or row["rev"]
        state = (row["State"] or "Success").lower()
        fault = "" if state == "success" else f"{state}; see `dvc queue logs {name}`"
        # A failed or queued one has no git reference yet, only a commit.
        runs.append(_of_revision(name, row["rev"], fault, scratch / row["rev"], on))
    return runs


def revision(name: str, scratch: Path, on: On) -> Run:
    """A finished run by the name of an experiment, a branch or a commit.

    Raises:
        ValueError: there is no such revision.
    """
    return _of_revision(name, name, "", scratch / name, on)


def folder(root: Path, on: On) -> Run:
    """A run whose project folder (params.yaml, data/manifest, data/models) was copied from elsewhere.

    Raises:
        ValueError: there is no params.yaml.
    """
    file = root / "params.yaml"
    if not file.is_file():
        raise ValueError(f"{file}: no such file; name folders that hold params.yaml, data/manifest and data/models")
    return _read(str(root), file.read_text(encoding="utf-8"), root, "", on)


def _of_revision(name: str, commit: str, fault: str, scratch: Path, on: On) -> Run:
    params = revisions.read_text(commit, Path("params.yaml"))
    if not fault:
        try:
            revisions.fetch(commit, scratch, list(MODELS))
            try:
                revisions.fetch(commit, scratch, ["va"])
            except revisions.NotRunError:  # an experiment with the target evaluate@emotion
                shutil.rmtree(scratch / results.MODELS / "va", ignore_errors=True)
        except ValueError as error:
            fault = str(error)
    return _read(name, params, scratch, fault, on)


def _read(name: str, params: str, root: Path, fault: str, on: On) -> Run:
    models: dict[str, Judged] = {}
    content = yaml.safe_load(params)
    if not fault:
        try:
            trained = [model for model in MODELS if (root / results.MODELS / model).is_dir()]
            if not trained:
                raise ValueError(f"{root / results.MODELS}: no model")
            rated = (root / results.MODELS / "va").is_dir()
            for model in trained:
                models[model] = paired.read(root, name, model, affect=rated and model == "fusion", on=on)
        except ValueError as error:
            fault, models = str(error), {}
    flat = {key: value for key, value in _flat(content).items() if key.split(".")[0] not in UNVARIED}
    return Run(name=name, seed=content.get("seed"), split=_split(content), params=flat, models=models, fault=fault)


def _split(content: dict) -> tuple[int, ...]:
    sections = [(content.get("manifest", {}).get(role, {}), split) for role, split in DEALS.values()]
    return tuple(section.get("deal", 0) if section.get("split") == split else 0 for section, split in sections)


def _flat(section: dict, above: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in section.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": _text(value)}
    return flat


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def varied(runs: Sequence[Run]) -> list[str]:
    """Names of the params in which runs differ, in the order of params.yaml; without those of DEALS."""
    names = list(dict.fromkeys(name for run in runs for name in run.params if name not in DEALS))
    return [name for name in names if len({run.params.get(name) for run in runs}) > 1]
