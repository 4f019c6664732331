"""The architecture as the imports have it: one way, stages on top, one name for one thing."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from project_params import REPO

PROGRAMS = ("stages", "commands")
PACKAGES = ("avemotion", *PROGRAMS)


def modules(package: str) -> dict[str, Path]:
    files = (file for file in (REPO / package).rglob("*.py") if file.name != "__init__.py")
    return {file.relative_to(REPO).with_suffix("").as_posix().replace("/", "."): file for file in files}


def imports(file: Path) -> set[str]:
    """The project's modules that a file imports, also within functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: a relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in PACKAGES}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_rooms_import_each_other_one_way():
    """No two folders of the package import each other, not even in a ring of several."""
    arrows = defaultdict(set)
    for module, file in modules("avemotion").items():
        arrows[room(module)] |= {room(name) for name in imports(file) if "." in name} - {room(module)}
    both = {tuple(sorted((a, b))) for a in arrows for b in arrows[a] if a in arrows.get(b, ())}
    assert both == set()
    assert len(list(TopologicalSorter(arrows).static_order())) >= len(arrows)  # a ring is an error
    folders = {path.name for path in (REPO / "avemotion").iterdir() if (path / "__init__.py").is_file()}
    assert set(arrows) == folders


@pytest.mark.parametrize("package", PACKAGES)
def test_no_one_imports_a_stage_or_a_command(package):
    wrong = {
        module: names
        for module, file in modules(package).items()
        if (names := {name for name in imports(file) if name.split(".")[0] in PROGRAMS})
    }
    assert wrong == {}


def test_package_files_are_empty():
    """A re-export would put one model into the deps of another's stage."""
    filled = [file for package in PACKAGES for file in (REPO / package).rglob("__init__.py") if file.stat().st_size]
    assert filled == [REPO / "avemotion/__init__.py"]
    tree = ast.parse(filled[0].read_bytes())
    at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    own = [ast.unparse(node) for node in at_import if "avemotion" in ast.unparse(node)]
    assert own == ["import avemotion.system.environment"]  # what must be set before torch is imported
    assert imports(REPO / "avemotion/system/environment.py") == set()


def test_a_name_means_one_thing():
    """No two modules of the package share a base name; with a stage, only that stage's own params do."""
    places = defaultdict(set)
    for package in PACKAGES:
        for module in modules(package):
            above, _, name = module.rpartition(".")
            places[name].add(above)
    shared = {name: above for name, above in places.items() if len(above) > 1}
    assert {name for name, above in shared.items() if above != {"avemotion.params", "stages"}} == set()
    assert set(shared) <= {
        "baseline",
        "evaluate",
        "features",
        "fusion",
        "manifest",
        "pretrain_audio",
        "pretrain_face",
        "pretrain_video",
        "sample",
        "transfer",
        "va",
    }
