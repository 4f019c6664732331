"""What a grid will do: its runs, those that are done, the stages that re-run, and how long that takes."""

import hashlib
import heapq
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avemotion.sweep.expansion import Setting
from avemotion.sweep.project import Project, git
from avemotion.sweep.recorded_runs import finished, same
from avemotion.sweep.stage_graph import PARAMS, Graph, Stage, identities
from avemotion.system import params_file

LOCAL = "compute"  # the section on which no stage depends


@dataclass(frozen=True, kw_only=True)
class Member:
    """One run of a grid.

    name: of its experiment. Its digest of params, targets, code and inputs gives every other run another name.
    done: the experiment that already has these results; None = it is to be run.
    rerun: the stages that no earlier run has made, this grid's earlier members included.
    inputs: paths of code and data that no stage makes. outs: paths of the others.
    """

    name: str
    setting: Setting
    label: Setting  # the setting in short, with presets by name
    params: dict[str, Any]
    done: str | None
    rerun: tuple[str, ...]
    inputs: tuple[str, ...]
    outs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Members in the order in which they start; same: settings that give the params of an earlier one."""

    members: list[Member]
    same: list[Setting]


def make(project: Project, settings: Sequence[Setting], labels: Sequence[Setting], targets: Sequence[str]) -> Plan:
    """Compare a grid with what the project has.

    Args:
        settings, labels: of the same runs.
        targets: stages that the runs go up to; empty = all.

    Raises:
        ValueError: DVC refuses an assignment, a target or dvc.yaml.
    """
    with tempfile.TemporaryDirectory() as scratch:
        graphs = _Graphs(project, targets, Path(scratch))
        runs = list(graphs.recorded())
        known = {identity for _, _, made in runs for identity in made}
        members: list[Member] = []
        repeated: list[Setting] = []
        every = _params(project, settings, Path(scratch))
        for setting, label, params in zip(settings, labels, every, strict=True):
            if any(_equal(params, member.params) for member in members):
                repeated.append(label)
                continue
            stages = graphs.present.stages(params)
            made = identities(stages, params)
            done = next(
                (name for name, ran, had in runs if name and _equal(ran, params) and had >= set(made.values())), None
            )
            rerun = tuple(name for name in stages if made[name] not in known) if done is None else ()
            known |= set(made.values())
            members.append(
                Member(
                    name=f"{_words(label, labels)}-{_digest(project, params, stages)}",
                    setting=setting,
                    label=label,
                    params=params,
                    done=done,
                    rerun=rerun,
                    inputs=tuple(sorted({path for stage in stages.values() for path in stage.inputs.values()})),
                    outs=tuple(sorted({path for stage in stages.values() for path in stage.outs.values()})),
                )
            )
    return Plan(members=members, same=repeated)


class _Graphs:
    """dvc.yaml of the project and of its experiments, each version read once."""

    def __init__(self, project: Project, targets: Sequence[str], scratch: Path):
        self._project, self._targets, self._scratch = project, targets, scratch
        self._known: dict[str, Graph] = {}
        self.present = self._of(project.snapshot)

    def _of(self, commit: str) -> Graph:
        definitions = self._project.files(commit, "dvc.yaml", ".dvc", ".dvcignore")
        key = json.dumps(definitions, sort_keys=True)
        if key not in self._known:
            folder = self._scratch / f"graph{len(self._known)}" / "project"
            folder.mkdir(parents=True)
            self._known[key] = Graph(definitions, self._targets, folder)
        return self._known[key]

    def recorded(self) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
        """Of the project ("") and of its experiments: params, and identities of the stages that need no other run."""
        for name, commit in {"": self._project.snapshot, **self._project.experiments()}.items():
            texts = self._project.files(commit, "dvc.lock", PARAMS)
            if PARAMS not in texts:
                continue
            params = _parsed(texts.pop(PARAMS), self._scratch)
            try:
                stages = self._of(commit).stages(params)
            except ValueError:  # an experiment without these targets
                continue
            fitting = finished(stages, params, texts, self._project)
            yield name, params, {made for stage, made in identities(stages, params).items() if stage in fitting}


def _params(project: Project, settings: Sequence[Setting], scratch: Path) -> Iterator[dict[str, Any]]:
    """params.yaml as `dvc exp run -S` leaves it with each setting."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    text = git(project.root, "show", f"{project.snapshot}:{PARAMS}")
    file = scratch / PARAMS
    for setting in settings:
        file.write_text(text, encoding="utf-8")
        try:
            apply_overrides(file, list(setting))
        except DvcException as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise ValueError(f"-S {' -S '.join(setting)}: {reason}; see the names in {PARAMS}") from error
        yield _parsed(file.read_text(encoding="utf-8"), scratch)


def _parsed(text: str, scratch: Path) -> dict[str, Any]:
    descriptor, name = tempfile.mkstemp(suffix=".yaml", dir=scratch)  # each a file of its own: reading is cached
    os.close(descriptor)
    Path(name).write_text(text, encoding="utf-8")
    return params_file.content(Path(name))


def _equal(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return same({**first, LOCAL: None}, {**second, LOCAL: None})


def _words(label: Setting, labels: Sequence[Setting]) -> str:
    """The values in which a run differs from others."""
    varied = [item for item in label if any(item not in other for other in labels)]
    words = [re.sub(r"[^A-Za-z0-9.]+", "_", item.rpartition("=")[2]).strip("._") for item in varied]
    return re.sub(r"\.{2,}", "_", "-".join(filter(None, words)))[:48].rstrip(".-_") or "run"  # as git wants a name


def _digest(project: Project, params: Mapping[str, Any], stages: Mapping[str, Stage]) -> str:
    """Of all that a run depends on, so that no run ever replaces an experiment with other results."""
    inputs = sorted({path for stage in stages.values() for path in stage.inputs.values()})
    commands = [(name, stage.cmd) for name, stage in stages.items()]
    content = [{**params, LOCAL: None}, commands, [(path, project.hash_of(path)) for path in inputs]]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:8]


def makespan(seconds: Sequence[float], jobs: int) -> float:
    """Wall time of runs that start in this order, `jobs` at a time, each as soon as another one ends."""
    free = [0.0] * jobs
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def seconds_of(rerun: Sequence[str], known: Mapping[str, float]) -> tuple[float, list[str]]:
    """The time of some stages, and those of unknown time, which it leaves out."""
    return sum(known.get(name, 0.0) for name in rerun), [name for name in rerun if name not in known]
