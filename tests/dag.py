"""What every stage truly uses, found from its code: the truth that dvc.yaml is held against.

`python tests/dag.py --write` puts the source files of each stage into dvc.yaml's deps.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from avemotion.system import params_file
from avemotion.system.source_code import sources

KINDS = ("wavlm", "mel", "frames", "prosody", "speaker")
CORPORA = ("ravdess", "iemocap")
ROLES = ("emotion", "affect")


@dataclass(frozen=True, kw_only=True)
class StageCode:
    """One stage block of a dvc.yaml: its modules and, for every element of its matrix, configure's arguments."""

    file: Path
    name: str
    modules: tuple[str, ...]
    cells: dict[str, tuple]


def stage_blocks() -> list[StageCode]:
    """All stage blocks, in the order of the chain."""
    main, sample = ROOT / "dvc.yaml", ROOT / "sample" / "dvc.yaml"
    blocks = [
        StageCode(
            file=sample,
            name="sample",
            modules=("stages.sample",),
            cells={corpus: ([corpus],) for corpus in CORPORA},
        ),
        StageCode(file=main, name="manifest", modules=("stages.manifest",), cells={"": ()}),
    ]
    for kind in KINDS:
        modules = ("stages.features", f"avemotion.features.{kind}")
        cells = {role: (kind, role) for role in ROLES}
        blocks.append(StageCode(file=main, name=f"features_{kind}", modules=modules, cells=cells))
    for name in ("pretrain_audio", "pretrain_video", "fusion", "va", "evaluate"):
        blocks.append(StageCode(file=main, name=name, modules=(f"stages.{name}",), cells={"": ()}))
    return blocks


def code_deps(block: StageCode) -> list[str]:
    """Source files that the stage is made of, relative to the project, without the empty __init__.py."""
    files = {path for module in block.modules for path in sources(module)}
    return sorted(path.relative_to(ROOT).as_posix() for path in files if path.stat().st_size)


def params_read(block: StageCode, cell: str, file: Path = ROOT / "params.yaml") -> list[str]:
    """Keys that the stage's configure reads and that a result may depend on.

    Not `compute`, not where a corpus lies: extraction depends on what the files hold, by the hashes in clips.csv; and
    not the share of rejects at which it stops.
    """
    keys: list[str] = []
    read = params_file.read

    def recording(file: Path, key: str, kind: type) -> object:
        keys.append(key)
        return read(file, key, kind)

    stage = importlib.import_module(block.modules[0])
    with mock.patch.object(params_file, "read", recording):
        stage.configure(file, *block.cells[cell])
    roots = {f"corpora.{role}.root" for role in ROLES}
    return sorted(set(keys) - {"compute", "manifest.max_rejected"} - roots)


def write() -> Iterator[str]:
    """Replace the source files among the deps of every stage; yields what changed."""
    from ruamel.yaml import YAML  # comes with DVC; keeps comments

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    for file in sorted({block.file for block in stage_blocks()}):
        content = yaml.load(file.read_text(encoding="utf-8"))
        for block in (b for b in stage_blocks() if b.file == file):
            deps = content["stages"][block.name]["deps"]
            data = [dep for dep in deps if not dep.startswith("stages/")]
            wanted = [*code_deps(block), *data]
            if list(deps) != wanted:
                yield block.name
                deps[:] = wanted
        with file.open("w", encoding="utf-8") as stream:
            yaml.dump(content, stream)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="update dvc.yaml and sample/dvc.yaml")
    parser.parse_args()
    print("changed:", ", ".join(write()) or "nothing")
