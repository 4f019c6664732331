"""Parts listed by their files: one file in a folder adds a corpus, a feature, a fusion mode or an interaction.

A part's name is the constant NAME of its file, or else the file's own name. Names and constants are read from the
source text, so that a check of params.yaml imports neither torch nor the part.
"""

import ast
import importlib
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]  # the project: avemotion, stages, commands


def names(package: str) -> tuple[str, ...]:
    """Names of the parts in a package such as "avemotion.corpora", sorted."""
    return tuple(sorted(_files(package)))


def load(package: str, name: str) -> ModuleType:
    """The module of a part.

    Raises:
        KeyError: no file of the package has this name.
    """
    return importlib.import_module(f"{package}.{_files(package)[name].stem}")


def constant(package: str, name: str, constant: str, default: Any = None) -> Any:
    """The value of a part's module-level constant, such as NEEDS = ("speech", "prosody"), or the default."""
    return _constants(_files(package)[name]).get(constant, default)


def options(package: str, name: str) -> tuple[str, ...]:
    """Field names of a part's dataclass Options, those of its base classes first: the params that it takes."""
    return _fields(_files(package)[name], "Options")


def modules(package: str) -> list[str]:
    """Names of all modules of a package of parts."""
    return [f"{package}.{file.stem}" for file in sorted(_files(package).values())]


@lru_cache
def _files(package: str) -> dict[str, Path]:
    folder = PROJECT / package.replace(".", "/")
    files = [file for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
    return {_constants(file).get("NAME", file.stem): file for file in files}


@lru_cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes())


def _fields(file: Path, name: str) -> tuple[str, ...]:
    """Annotated names in the body of a class and, before them, of its bases, which other files may define."""
    tree = _tree(file)
    modules = {
        alias.name: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            files = {base: PROJECT / f"{(modules.get(base) or '').replace('.', '/')}.py" for base in bases}
            inherited = [field for base in bases for field in _fields(files[base] if base in modules else file, base)]
            own = [f.target.id for f in node.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)]
            return (*inherited, *own)
    return ()


@lru_cache
def _constants(file: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for node in _tree(file).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                values[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # an expression, not a plain value
                continue
    return values
