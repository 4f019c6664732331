"""The project's own params.yaml with some values changed, and one set of compute params for all tests."""

from pathlib import Path

import yaml

from avemotion.params.shared.compute import ComputeParams

REPO = Path(__file__).resolve().parents[2]
SERIAL: ComputeParams = ComputeParams(
    device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None, tensorboard=False
)


def params_with(folder: Path, changes: dict[str, object]) -> Path:
    """A copy of the project's params.yaml with values changed by dotted key."""
    content = yaml.safe_load((REPO / "params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, name = key.split(".")
        place = content
        for section in sections:
            place = place[section]
        assert name in place, key
        place[name] = value
    file = folder / "params.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file
