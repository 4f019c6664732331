"""Which stages a dvc.lock records as run, on the present code and inputs, with outputs that still exist."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Protocol

import yaml

from avemotion.sweep.stage_graph import PARAMS, Stage, value

Locks = Mapping[str, str]  # path of a dvc.lock -> its text


class Contents(Protocol):
    """What lies in the project and in DVC's cache."""

    def hash_of(self, path: str) -> str | None:
        """DVC's hash of an input (path as in Stage) as it is now; None = it does not exist."""

    def has(self, hash_: str) -> bool:
        """Whether the cache has an output."""

    def within(self, hash_: str, inner: str) -> str | None:
        """The hash of a file of a folder in the cache; None = the cache lacks the folder, or the folder the file."""


def finished(stages: Mapping[str, Stage], params: Mapping[str, Any], locks: Locks, contents: Contents) -> set[str]:
    """Names of the stages whose record fits: same command, params and inputs, on outputs that are recorded too.

    Args:
        stages: in an order in which they can run, resolved with params.
    """
    records = {file: yaml.load(text, yaml.CSafeLoader).get("stages", {}) for file, text in locks.items()}
    entries = {name: records.get(stage.lock[0], {}).get(stage.lock[1], {}) for name, stage in stages.items()}
    made: dict[str, str] = {}  # path of an out -> its hash
    for name, stage in stages.items():
        outs = _hashes(entries[name], "outs")
        made |= {path: outs[key] for key, path in stage.outs.items() if key in outs}
    fitting: set[str] = set()
    for name, stage in stages.items():
        entry = entries[name]
        deps, outs = _hashes(entry, "deps"), _hashes(entry, "outs")
        if (
            _command(entry) == stage.cmd
            and all(_same_param(stage, entry, params, key) for key in stage.params)
            and all(deps.get(key) == _made(path, made, contents) for key, path in stage.sources.items())
            and all(key in deps and deps[key] == contents.hash_of(path) for key, path in stage.inputs.items())
            and all(key in outs and contents.has(outs[key]) for key in stage.cached)
            and fitting.issuperset(stage.upstream)
        ):
            fitting.add(name)
    return fitting


def _command(entry: Mapping[str, Any]) -> str | None:
    command = entry.get("cmd")
    return command if command is None or isinstance(command, str) else json.dumps(command)


def _hashes(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {item["path"]: str(item.get(item.get("hash", "md5"))) for item in entry.get(kind, [])}


def _made(path: str, made: Mapping[str, str], contents: Contents) -> str | None:
    """The recorded hash of an output of a stage, or of a file of it."""
    if path in made:
        return made[path]
    for folder in PurePosixPath(path).parents:
        if str(folder) in made:
            return contents.within(made[str(folder)], str(PurePosixPath(path).relative_to(folder)))
    return None


def _same_param(stage: Stage, entry: Mapping[str, Any], params: Mapping[str, Any], name: str) -> bool:
    recorded = entry.get("params", {}).get(PARAMS, {})
    return name in recorded and same(recorded[name], value(params, name))


def same(recorded: Any, now: Any) -> bool:
    """Equal values. YAML 1.1 reads 5e-06, which DVC writes, as text; so does the reader of dvc.lock."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        return recorded.keys() == now.keys() and all(same(recorded[key], now[key]) for key in now)
    if isinstance(recorded, list) and isinstance(now, list):
        return len(recorded) == len(now) and all(map(same, recorded, now))
    if isinstance(recorded, str) and isinstance(now, float):
        try:
            return float(recorded) == now
        except ValueError:
            return False
    return bool(recorded == now) and isinstance(recorded, bool) == isinstance(now, bool)
