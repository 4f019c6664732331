"""dvc.yaml says what the code does: deps = imports, params = keys read, data moves forward, the chain as documented.

The chain is read with one target in corpora.transfer; without any, it has no stage transfer.
"""

import importlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from project_params import REPO

from avemotion.params import whole
from avemotion.params.features import roles
from avemotion.params.shared.corpora import FACES, ROLES
from avemotion.system import params_file
from avemotion.system.source_code import sources

TARGET = "other"  # in corpora.transfer
FILE = REPO / "params.yaml"
PARAMS = yaml.safe_load(FILE.read_text(encoding="utf-8"))
KINDS = ("wavlm", "mel", "frames", "vision", "prosody", "speaker")
CORPORA = ("ravdess", "iemocap")
# Files of code deps that a stage does not import.
WHOLE_ROOMS = {
    "avemotion/system": "small and stable, a dep of every stage as a whole",
    "avemotion/params/shared": "sections that every stage reads, a dep as a whole",
}
# Dep of one stage -> why it is wider than what the stage imports.
WIDER = {
    ("check", "avemotion"): "check reads the params of every stage, and lists parts by their files",
    ("report", "avemotion/scoring"): "all but headlines.py; a change there re-runs a page of seconds, trains nothing",
}
NO_DEP = {"avemotion/__init__.py"}  # one import line


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the DAG as its code has it.

    modules: those that it imports. without: packages of parts of which it loads only what `modules` names.
    configure: reads its params.
    """

    modules: tuple[str, ...]
    configure: Callable[[Path], Any] | None
    without: tuple[str, ...] = ()
    untracked: frozenset[str] = frozenset({"compute"})  # keys read on which no output depends


def configured(module: str, *arguments: Any) -> Callable[[Path], Any]:
    def configure(file: Path) -> Any:
        return importlib.import_module(module).configure(file, *arguments)

    return configure


def chain() -> dict[str, Stage]:
    """All stages in the order of the chain, by DVC's name."""
    stages = {"check": Stage(modules=("stages.check",), configure=None)}
    for corpus in CORPORA:
        configure = configured("stages.sample", [corpus])
        stages[f"sample/dvc.yaml:sample@{corpus}"] = Stage(modules=("stages.sample",), configure=configure)
    stages["manifest"] = Stage(modules=("stages.manifest",), configure=configured("stages.manifest"))
    for kind in KINDS:
        for role in roles(kind):
            stages[f"features_{kind}@{role}"] = Stage(
                modules=("stages.features", f"avemotion.features.{kind}"),
                configure=configured("stages.features", kind, role),
                without=("avemotion.features",),
                # Extraction depends on what the files hold, by the hashes in clips.csv, not on where they lie.
                untracked=frozenset({"compute", "manifest.max_rejected", f"corpora.{role}"}),
            )
    stages["faces"] = Stage(modules=("stages.faces",), configure=None)
    for name in ("pretrain_audio", "pretrain_face", "pretrain_video"):
        stages[name] = Stage(modules=(f"stages.{name}",), configure=configured(f"stages.{name}"))
    for role in ROLES:
        stages[f"baseline@{role}"] = Stage(modules=("stages.baseline",), configure=configured("stages.baseline"))
    for name in ("fusion", "va"):
        stages[name] = Stage(modules=(f"stages.{name}",), configure=configured(f"stages.{name}"))
    for role in ROLES:
        modules = ("stages.evaluate", f"avemotion.plots.{role}.{role}_pictures")
        stages[f"evaluate@{role}"] = Stage(modules=modules, configure=configured("stages.evaluate"))
    stages[f"transfer@{TARGET}"] = Stage(modules=("stages.transfer",), configure=configured("stages.transfer", TARGET))
    return stages | {"report": Stage(modules=("stages.report",), configure=None)}


STAGES = chain()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A stage as DVC itself reads it, templates filled in; paths relative to the project."""

    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]
    uncached: bool

    @property
    def code(self) -> list[str]:
        return [dep for dep in self.deps if dep.split("/")[0] in ("avemotion", "stages")]

    @property
    def data(self) -> list[str]:
        return [dep for dep in self.deps if dep not in self.code]


@cache
def folder() -> tempfile.TemporaryDirectory:
    """A project with this dvc.yaml and one target."""
    made = tempfile.TemporaryDirectory()
    root, content = Path(made.name).resolve(), yaml.safe_load((REPO / "params.yaml").read_text(encoding="utf-8"))
    content["corpora"]["transfer"] = {
        TARGET: {"name": "fer2013", "root": "data/none", "labels": "corpus", "options": None}
    }
    for file in ("dvc.yaml", "sample/dvc.yaml"):
        (root / file).parent.mkdir(exist_ok=True)
        shutil.copy(REPO / file, root / file)
    (root / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    return made


def root() -> Path:
    return Path(folder().name).resolve()


@pytest.fixture(autouse=True)
def _in_that_project(monkeypatch):
    """DVC names stages relative to the working folder."""
    monkeypatch.chdir(root())


@cache
def repo() -> Any:
    """That project as DVC reads it."""
    from dvc.repo import Repo

    return Repo(str(root()))


@cache
def entries() -> dict[str, Entry]:
    from dvc.dependency.param import ParamsDependency

    found = {}
    for stage in repo().index.stages:
        params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
        files = [dep for dep in stage.deps if dep not in params]
        found[stage.addressing] = Entry(
            deps=tuple(relative(files)),
            params=tuple(sorted(key for dep in params for key in dep.params)),
            outs=tuple(relative(stage.outs)),
            uncached=any(not out.use_cache for out in stage.outs),
        )
    return found


def relative(items: Iterable[Any]) -> list[str]:
    return [Path(item.fs_path).relative_to(root()).as_posix() for item in items]


def within(file: str, folder: str) -> bool:
    return file == folder or file.startswith(f"{folder}/")


def closure(name: str) -> set[str]:
    """Files that a stage is made of, relative to the project, without the empty __init__.py."""
    stage = STAGES[name]
    files = {file for module in stage.modules for file in sources(module, stage.without) if file.stat().st_size}
    return {file.relative_to(REPO).as_posix() for file in files} - NO_DEP


@cache
def read_by(name: str) -> tuple[str, ...]:
    """Keys that a stage's configure reads and that a result may depend on."""
    with params_file.recording() as keys:
        STAGES[name].configure(root() / "params.yaml")
    return tuple(sorted(set(keys) - STAGES[name].untracked))


def test_dvc_knows_these_stages_and_no_others():
    assert set(entries()) == set(STAGES)


def test_check_knows_the_features_of_the_chain():
    names = {name.partition("@")[0] for name in entries() if name.startswith("features_")}
    assert {name.removeprefix("features_") for name in names} - {"more"} == set(whole.IN_CHAIN)


def test_without_a_target_there_is_no_stage_of_it(monkeypatch):
    from dvc.repo import Repo

    monkeypatch.chdir(REPO)

    assert PARAMS["corpora"]["transfer"] == {}
    named = {stage.addressing for stage in Repo().index.stages}
    assert named == set(STAGES) - {f"transfer@{TARGET}"}


def test_the_folder_stages_is_the_dag():
    in_dag = {module.split(".")[1] for stage in STAGES.values() for module in stage.modules[:1]}
    assert {path.stem for path in (REPO / "stages").iterdir() if path.name != "__pycache__"} == in_dag | {"__init__"}


@pytest.mark.parametrize("name", STAGES)
def test_every_file_that_a_stage_imports_is_below_a_dep(name):
    code = entries()[name].code
    assert sorted(file for file in closure(name) if not any(within(file, dep) for dep in code)) == []


@pytest.mark.parametrize("name", STAGES)
def test_every_file_below_a_dep_is_imported(name):
    used, unused = closure(name), {}
    for dep in entries()[name].code:
        if dep in WHOLE_ROOMS or (name, dep) in WIDER:
            continue
        place = REPO / dep
        files = [place] if place.is_file() else [file for file in place.rglob("*.py") if file.stat().st_size]
        assert files, f"{dep}: no such code"
        if more := {file.relative_to(REPO).as_posix() for file in files} - used:
            unused[dep] = sorted(more)
    assert unused == {}


def test_exceptions_are_needed():
    for room in WHOLE_ROOMS:
        files = {file.relative_to(REPO).as_posix() for file in (REPO / room).rglob("*.py") if file.stat().st_size}
        assert any(files - closure(name) for name in STAGES), room
        assert all(room in entry.code for name, entry in entries().items() if name != "check"), room


@pytest.mark.parametrize("name", [name for name in STAGES if STAGES[name].configure])
def test_params_are_the_keys_read(name):
    assert entries()[name].params == read_by(name)


@pytest.mark.parametrize("name", ["check", "report"])
def test_stages_of_the_whole_file_depend_on_the_file(name):
    assert "params.yaml" in entries()[name].deps and entries()[name].params == ()


def test_data_moves_forward():
    """Every data dep is written by a stage listed before, or is the user's."""
    own, written = {"data/Noise", "data/none", "ablations", "params.yaml"}, []
    for name in STAGES:
        for dep in set(entries()[name].data) - own:
            # report reads both folders of tables as wholes; all others name the files.
            assert any(within(dep, out) for out in written), f"{name} needs {dep}"
        written += entries()[name].outs
    assert len(set(written)) == len(written)


def test_dvc_runs_the_chain_in_this_order():
    edges = {(before.addressing, after.addressing) for after, before in repo().index.graph.edges}
    sample = "sample/dvc.yaml:sample@"
    assert edges >= {
        ("check", f"{sample}ravdess"),
        ("check", f"{sample}iemocap"),
        (f"{sample}ravdess", "manifest"),
        (f"{sample}iemocap", "manifest"),
        ("check", "manifest"),
        ("manifest", "features_wavlm@emotion"),
        ("features_wavlm@emotion", "pretrain_audio"),
        ("features_frames@emotion", "pretrain_video"),
        ("features_frames@affect", "faces"),
        ("faces", "report"),
        ("features_frames@faces", "pretrain_face"),
        ("features_frames@emotion", "features_vision@emotion"),
        ("features_vision@emotion", "pretrain_video"),
        ("features_vision@affect", "va"),
        ("pretrain_face", "pretrain_video"),
        ("pretrain_audio", "fusion"),
        ("pretrain_video", "fusion"),
        ("fusion", "va"),
        ("features_prosody@affect", "va"),
        ("fusion", "evaluate@emotion"),
        ("va", "evaluate@affect"),
        ("features_prosody@emotion", "baseline@emotion"),
        ("baseline@emotion", "evaluate@emotion"),
        ("baseline@affect", "evaluate@affect"),
        ("evaluate@emotion", "report"),
        ("evaluate@affect", "report"),
        ("va", f"transfer@{TARGET}"),
    }
    assert ("va", "evaluate@emotion") not in edges


def test_folders_of_the_manifest_are_deps_of_report_alone():
    folders = {f"data/manifest/{role}" for role in (*ROLES, FACES)}
    assert [name for name in STAGES if folders & set(entries()[name].data)] == ["report"]


def test_only_the_last_stages_have_uncached_outs():
    """A stage with an uncached out is never restored from DVC's run cache."""
    assert {name for name, entry in entries().items() if entry.uncached} == {
        *(f"evaluate@{role}" for role in ROLES),
        "faces",
        f"transfer@{TARGET}",
        "report",
    }


def test_features_never_see_labels():
    features = [entry for name, entry in entries().items() if name.startswith("features_")]
    assert len(features) == sum(len(roles(kind)) for kind in KINDS)
    tables = {dep for entry in features for dep in entry.data if within(dep, "data/manifest")}
    assert tables == {f"data/manifest/{role}/clips.csv" for role in (*ROLES, FACES)}


def test_editing_one_extractor_re_extracts_that_kind_only():
    for kind in KINDS:
        file = f"avemotion/features/{kind}.py"
        hit = {name for name, entry in entries().items() if any(within(file, dep) for dep in entry.code)}
        assert hit == {"check", f"transfer@{TARGET}", *(f"features_{kind}@{role}" for role in roles(kind))}


def test_editing_a_reported_metric_trains_nothing():
    hit = {
        name
        for name, entry in entries().items()
        if any(within("avemotion/scoring/reported_metrics.py", dep) for dep in entry.code)
    }
    assert hit == {"check", "evaluate@emotion", "evaluate@affect", f"transfer@{TARGET}", "report"}


def test_half_of_the_chain_needs_no_other_half():
    """evaluate@emotion depends on no VA model, evaluate@affect only on the emotion stages that va builds on."""
    writer = {out: name for name, entry in entries().items() for out in entry.outs}

    def upstream(name: str) -> set[str]:
        found = set()
        for dep in entries()[name].data:
            for out, stage in writer.items():
                if within(dep, out) or within(out, dep):
                    found |= {stage} | upstream(stage)
        return found

    assert "va" not in upstream("evaluate@emotion") and not upstream("evaluate@emotion") & {
        f"features_{kind}@affect" for kind in KINDS
    }
    assert {"va", "fusion"} <= upstream("evaluate@affect") and "evaluate@emotion" not in upstream("evaluate@affect")


def test_every_param_has_a_reader():
    """compute is read by all and tracked by none; more_features is what features_more is a matrix over."""
    keys = {key for name, stage in STAGES.items() if stage.configure for key in read_by(name)}
    keys |= {"compute", "more_features"}

    def covered(path: str, value: object) -> bool:
        if any(within(path.replace(".", "/"), key.replace(".", "/")) for key in keys):
            return True
        return isinstance(value, dict) and all(covered(f"{path}.{name}", item) for name, item in value.items())

    assert [name for name, value in PARAMS.items() if not covered(name, value)] == []


def test_final_models_are_artifacts_that_dvc_knows():
    found = repo().artifacts.read()["dvc.yaml"]
    outs = {out.fs_path for out in repo().index.outs}
    assert sorted(found) == ["fusion", "va"]
    for artifact in found.values():
        assert artifact.type == "model" and artifact.desc and len(artifact.labels) > 2
        assert str(root() / artifact.path) in outs
