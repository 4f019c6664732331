"""Which of the project's own source files a module is made of."""

import ast
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package `stages`


def sources(module: str) -> list[Path]:
    """Source files of a module such as "stages.va" and of all of the project's modules that it imports, sorted.

    Imports inside functions and under TYPE_CHECKING count too.
    """
    found: set[Path] = set()
    queue = [module]
    while queue:
        path = ROOT / (queue.pop().replace(".", "/") + ".py")
        if path in found or not path.is_file():
            continue
        found.add(path)
        found |= {init for init in (folder / "__init__.py" for folder in path.parents) if _has_code(init)}
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stages"):
                queue += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                queue += [alias.name for alias in node.names if alias.name.startswith("stages")]
    return sorted(found)


def _has_code(package_file: Path) -> bool:
    return package_file.is_relative_to(ROOT / "stages") and package_file.is_file() and package_file.stat().st_size > 0


def source_digest(module: str) -> str:
    """Changes with any of sources(module): part of the key of work that is kept across runs."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sources(module):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
