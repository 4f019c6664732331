"""The project's own source files that a module consists of."""

import ast
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import TypeGuard

from avemotion.system import plugins

ROOT = Path(__file__).resolve().parents[2]  # the project: avemotion, stages, commands
PACKAGES = ("avemotion", "stages", "commands")


def sources(module: str, without: Collection[str] = ()) -> list[Path]:
    """Source files of a module such as "stages.va" and of all of the project's modules that it imports, sorted.

    Imports inside functions and under TYPE_CHECKING count too. A module that contains the name of a package of parts,
    such as "avemotion.models.fusion.modes", may load any of its parts, so all of them count.

    Args:
        without: packages of parts whose parts do not count.
    """
    files: set[Path] = set()
    queue = [module]
    while queue:
        path = ROOT / (queue.pop().replace(".", "/") + ".py")
        if path in files or not path.is_file():
            continue
        files.add(path)
        files |= {init for init in (folder / "__init__.py" for folder in path.parents) if _has_code(init)}
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
                queue += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                queue += [alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES]
            elif isinstance(node, ast.Constant) and _is_package(node.value) and node.value not in without:
                queue += plugins.modules(node.value)
    return sorted(files)


def _is_package(value: object) -> TypeGuard[str]:
    is_name = isinstance(value, str) and value.startswith("avemotion.") and value.replace(".", "").isidentifier()
    return is_name and (ROOT / str(value).replace(".", "/") / "__init__.py").is_file()


def _has_code(package_file: Path) -> bool:
    return package_file.is_relative_to(ROOT) and package_file.is_file() and package_file.stat().st_size > 0


def source_digest(module: str) -> str:
    """A digest of the text of sources(module); part of the key of work that is kept across runs."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sources(module):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
