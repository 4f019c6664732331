"""The plots that dvc.yaml declares are those that the stages write."""

import json
import re

import yaml
from project_params import REPO as ROOT


def test_plots_of_dvc_yaml_are_what_evaluate_writes(evaluated):
    """Every declared plot has its file, its columns and its template, and every file is declared."""
    declared = set()
    for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]:
        if isinstance(plot, str):
            declared.add(plot)
            continue
        ((name, definition),) = plot.items()
        assert re.fullmatch(r"\w+", name), "DVC uses the name as an HTML id"
        ((file, y),) = definition["y"].items()
        declared.add(file)
        columns = set((evaluated / file).read_text().splitlines()[0].split(","))
        template = json.loads((ROOT / ".dvc/plots" / f"{definition['template']}.json").read_text())
        used, made = fields(template)
        anchors = {"<DVC_METRIC_X>": definition["x"], "<DVC_METRIC_Y>": y}
        needed = {anchors.get(field, field) for field in used} - made - {"rev"}
        optional = {"fold", "clip"} if definition["template"] == "shares" else set()  # in tooltips
        assert needed - optional <= columns, f"{name}: {needed - columns} not in {file}"
    assert declared == {file.relative_to(evaluated).as_posix() for file in (evaluated / "plots").rglob("*.*")} - {
        "plots/report.html"
    }


def fields(template: object) -> tuple[set[str], set[str]]:
    """Names that a Vega-Lite template reads, and names that its transforms make."""
    used, made = set(), set()
    if isinstance(template, dict):
        used |= {value for key, value in template.items() if key == "field" and isinstance(value, str)}
        made |= {value for key, value in template.items() if key == "as" and isinstance(value, str)}
    for item in template.values() if isinstance(template, dict) else template if isinstance(template, list) else ():
        inner_used, inner_made = fields(item)
        used, made = used | inner_used, made | inner_made
    return used, made
