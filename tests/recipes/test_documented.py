"""docs/systems.md: every param, preset and test that it names exists, and every preset of a recipe is named."""

import re
from pathlib import Path

import yaml
from project_params import REPO

SOURCES = yaml.safe_load(Path(__file__).with_name("sources.yaml").read_text(encoding="utf-8"))["recipes"]
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in (REPO / "docs/systems.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| the document")
]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_row_has_its_four_cells():
    assert len(ROWS) > 50 and {len(row) for row in ROWS} == {4}


def test_params_exist():
    content = yaml.safe_load((REPO / "params.yaml").read_text(encoding="utf-8"))
    for row in ROWS:
        for name in names(row[1]):
            if not name.startswith("python -m "):
                place = content
                for part in name.split("."):
                    assert part in place, f"{name} in the row '{row[0]}'"
                    place = place[part]


def test_presets_exist_and_all_are_named():
    values = {"plain18", "wavlm"}
    named = {name for row in ROWS for name in names(row[2])} - values
    assert named == set(SOURCES)


def test_tests_exist():
    for row in ROWS:
        (test,) = names(row[3])
        file, _, function = test.partition("::")
        text = (REPO / "tests" / file).read_text(encoding="utf-8")
        assert not function or f"\ndef {function}(" in text, test
