"""dvc.yaml says exactly what the code does: deps = imports, params = keys read, the chain as documented."""

import re
from itertools import pairwise

import pytest
import yaml
from dag import ROOT, StageCode, code_deps, params_read, stage_blocks

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
OUTSIDE = {"ablations", "compare", "personalise", "predict", "preset"}  # commands that no stage runs
BLOCKS = {block.name: block for block in stage_blocks()}


def entry(block: StageCode) -> dict:
    return yaml.safe_load(block.file.read_text(encoding="utf-8"))["stages"][block.name]


def resolved(text: str, cell: str) -> str:
    """DVC's templating: of one matrix cell, and from params.yaml."""
    text = re.sub(r"\$\{item\.\w+\}", cell, text)
    return re.sub(r"\$\{(\w+)\.(\w+)\}", lambda key: PARAMS[key[1]][key[2]], text)


def test_every_stage_block_is_checked():
    listed = set()
    for file in ("dvc.yaml", "sample/dvc.yaml"):
        listed |= set(yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"])
    assert listed == set(BLOCKS)


def test_every_script_is_a_stage_or_a_command_outside_the_dag():
    scripts = {path.stem for path in (ROOT / "stages").glob("[a-z]*.py")}
    in_dag = {module.split(".")[1] for block in BLOCKS.values() for module in block.modules[:1]}
    assert scripts == in_dag | OUTSIDE


@pytest.mark.parametrize("name", BLOCKS)
def test_code_deps_are_the_import_closure(name):
    block = BLOCKS[name]
    listed = [dep for dep in entry(block)["deps"] if dep.startswith("stages/")]
    assert listed == code_deps(block), "run `python tests/dag.py --write`"


@pytest.mark.parametrize(("name", "cell"), [(name, cell) for name, block in BLOCKS.items() for cell in block.cells])
def test_params_are_the_keys_read(name, cell):
    block = BLOCKS[name]
    listed = sorted(resolved(key, cell) for key in entry(block).get("params", []))
    assert listed == params_read(block, cell)


@pytest.mark.parametrize("name", BLOCKS)
def test_matrix_covers_the_cells(name):
    block = BLOCKS[name]
    matrix = entry(block).get("matrix", {"": [""]})
    assert [list(values) for values in matrix.values()] == [list(block.cells)]


def test_data_deps_are_outs_of_earlier_stages():
    """Data moves forward only: every data dep is written by a stage listed before, or is the user's."""
    written: set[str] = set()
    for block in BLOCKS.values():
        for cell in block.cells:
            stage = entry(block)
            for dep in stage["deps"]:
                dep = resolved(dep, cell)
                if dep.startswith("data/") and dep != "data/Noise":
                    assert dep in written, f"{block.name}@{cell} needs {dep}"
        for cell in block.cells:
            outs = [next(iter(out)) if isinstance(out, dict) else out for out in entry(block)["outs"]]
            written |= {resolved(out, cell) for out in outs}


def test_only_evaluate_has_uncached_outs():
    """A stage with an uncached out is never restored from DVC's run cache."""
    uncached = {
        name
        for name, block in BLOCKS.items()
        for out in entry(block)["outs"]
        if isinstance(out, dict) and next(iter(out.values())).get("cache") is False
    }
    assert uncached == {"evaluate"}


def test_features_never_see_labels():
    for name, block in BLOCKS.items():
        if name.startswith("features_"):
            assert not [dep for dep in entry(block)["deps"] if "labels" in dep]


def test_imports_point_one_way():
    """stage -> lib: no stage imports a stage, lib imports no stage."""
    for path in (ROOT / "stages").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        stage_imports = re.findall(
            r"^\s*(?:from stages import (.+)|from stages\.(?!lib)(\w+)|import stages\.(?!lib)(\w+))", text, re.M
        )
        assert not stage_imports, f"{path} imports a stage: {stage_imports}"


def test_package_files_are_empty():
    """A re-export would drag one model into another stage's deps."""
    filled = [path for path in (ROOT / "stages").rglob("__init__.py") if path.stat().st_size]
    assert filled == [ROOT / "stages/__init__.py"]  # sets one variable that must precede torch, imports nothing of ours
    assert "stages" not in filled[0].read_text(encoding="utf-8")


def test_every_param_has_a_reader():
    """No key of params.yaml is without a stage that reads it (compute is read by all and tracked by none)."""
    keys = {key for block in BLOCKS.values() for cell in block.cells for key in params_read(block, cell)} | {"compute"}

    def covered(path: str, value: object) -> bool:
        if any(path == key or path.startswith(f"{key}.") for key in keys):
            return True
        return isinstance(value, dict) and all(covered(f"{path}.{name}", item) for name, item in value.items())

    assert [name for name, value in PARAMS.items() if not covered(name, value)] == []


def test_final_models_are_artifacts_that_dvc_knows():
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        found = repo.artifacts.read()["dvc.yaml"]
        outs = {out.fs_path for out in repo.index.outs}
    assert sorted(found) == ["fusion", "va"]
    for artifact in found.values():
        assert artifact.type == "model" and artifact.desc and len(artifact.labels) > 2
        assert str(ROOT / artifact.path) in outs


def test_chain_order():
    chain = ["sample", "manifest", "features_wavlm", "pretrain_audio", "pretrain_video", "fusion", "va", "evaluate"]
    order = list(BLOCKS)
    assert all(order.index(a) < order.index(b) for a, b in pairwise(chain))
