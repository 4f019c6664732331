"""The stages that a target needs, as DVC resolves dvc.yaml with given params, and the identity of what each makes."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

PARAMS = "params.yaml"
_TEMPLATE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of the DAG.

    Paths are relative to the project; those outside it are absolute.
    """

    name: str  # as DVC prints it, such as evaluate@emotion
    lock: tuple[str, str]  # its file, such as sample/dvc.lock, and its key there
    cmd: str
    outs: dict[str, str]  # path in dvc.lock -> path
    cached: tuple[str, ...]  # paths in dvc.lock of the outs that DVC's cache holds; git holds the others
    sources: dict[str, str]  # path in dvc.lock of a dep that stages make -> path
    inputs: dict[str, str]  # path in dvc.lock of any other dep, such as code and corpora -> path
    upstream: tuple[str, ...]  # names of the stages that make the sources
    params: tuple[str, ...]  # dotted names
    whole: bool  # params.yaml as a file is a dep


class Graph:
    """Reads the stages of one version of dvc.yaml."""

    def __init__(self, definitions: Mapping[str, str], targets: Sequence[str], scratch: Path):
        """definitions: path -> text of every dvc.yaml, *.dvc and .dvcignore; scratch: an empty folder to work in."""
        self._targets, self._scratch = targets or ["dvc.yaml"], scratch.resolve()
        self._names = sorted({name for text in definitions.values() for name in _TEMPLATE.findall(text)})
        self._known: dict[str, dict[str, Stage]] = {}
        for file, text in definitions.items():
            (scratch / file).parent.mkdir(parents=True, exist_ok=True)
            (scratch / file).write_text(text, encoding="utf-8")
        (scratch / ".dvc").mkdir(exist_ok=True)
        (scratch / ".dvc/config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")

    def stages(self, params: Mapping[str, Any]) -> dict[str, Stage]:
        """The stages of the targets in an order in which they can run.

        Raises:
            ValueError: DVC refuses dvc.yaml with these params, or there is no such target.
        """
        # DVC takes seconds for a large dvc.yaml; only params that it interpolates change the answer.
        key = json.dumps([value(params, name) for name in self._names], sort_keys=True, default=str)
        if key not in self._known:
            self._known[key] = self._read(params)
        return self._known[key]

    def _read(self, params: Mapping[str, Any]) -> dict[str, Stage]:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        (self._scratch / PARAMS).write_text(json.dumps(params), encoding="utf-8")  # JSON is YAML
        with contextlib.chdir(self._scratch):  # targets and names are relative to the working folder
            try:
                repo = Repo()
                graph = repo.index.graph
                wanted = {stage for target in self._targets for stage in repo.stage.collect(target, with_deps=True)}
            except DvcException as error:
                raise ValueError(f"dvc.yaml with targets {' '.join(self._targets)}: {error}") from error
            steps = TopologicalSorter(
                {stage: [s for s in graph.successors(stage) if not s.is_data_source] for stage in wanted}
            )
            names = {stage: stage.addressing for stage in wanted}
            found: dict[str, Stage] = {}
            steps.prepare()
            while steps.is_active():  # by name where order is free, so that two calls list the same order
                ready = sorted(steps.get_ready(), key=lambda stage: names[stage])
                for stage in ready:
                    if not stage.is_data_source:
                        above = [other for other in graph.successors(stage) if not other.is_data_source]
                        found[names[stage]] = self._stage(stage, above)
                steps.done(*ready)
        return found

    def _stage(self, stage: Any, above: Sequence[Any]) -> Stage:
        from dvc.dependency.param import ParamsDependency

        made = [out.fs_path for other in above for out in other.outs]
        plain = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
        read = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
        paths = {dep.def_path: (dep.fs_path, self._relative(dep.fs_path)) for dep in plain}
        ours = {key: path for key, path in paths.items() if path[1] != PARAMS}
        return Stage(
            name=stage.addressing,
            lock=(self._relative(str(Path(stage.path).with_suffix(".lock"))), stage.name),
            cmd=stage.cmd if isinstance(stage.cmd, str) else json.dumps(stage.cmd),
            outs={out.def_path: self._relative(out.fs_path) for out in stage.outs},
            cached=tuple(out.def_path for out in stage.outs if out.use_cache),
            sources={key: relative for key, (path, relative) in ours.items() if _overlaps(path, made)},
            inputs={key: relative for key, (path, relative) in ours.items() if not _overlaps(path, made)},
            upstream=tuple(sorted(other.addressing for other in above)),
            params=tuple(sorted(name for dep in read for name in dep.params)),
            whole=len(ours) < len(paths) or any(not dep.params for dep in read),
        )

    def _relative(self, path: str) -> str:
        inside = Path(path).is_relative_to(self._scratch)
        if not inside and Path(path).is_relative_to(self._scratch.parent):
            name = os.path.relpath(path, self._scratch)
            raise ValueError(f"dvc.yaml: {name} lies outside the project; name it by its absolute path")
        return Path(path).relative_to(self._scratch).as_posix() if inside else path


def _overlaps(path: str, others: Sequence[str]) -> bool:
    return any(Path(path).is_relative_to(other) or Path(other).is_relative_to(path) for other in others)


def value(params: Mapping[str, Any], name: str) -> Any:
    """The value of a dotted name; None where there is none."""
    found: Any = params
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def identities(stages: Mapping[str, Stage], params: Mapping[str, Any]) -> dict[str, str]:
    """Stage -> a digest of all params that its outputs depend on, its own and those of the stages before it.

    Two runs on the same code and inputs have the same identity of a stage if it makes the same in both. A stage with
    all of params.yaml among its deps, such as `check`, runs for each change, but passes nothing of it on: the stages
    after it depend on its output, which is the same whenever it passes.
    """
    found: dict[str, str] = {}
    for name, stage in stages.items():
        own = params if stage.whole else {key: value(params, key) for key in stage.params}
        above = [found[other] for other in stage.upstream if not stages[other].whole]
        text = json.dumps([name, stage.cmd, own, above], sort_keys=True, default=str)
        found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found
