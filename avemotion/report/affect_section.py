"""The section of report.html about valence, arousal and dominance: scores and pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avemotion.formats.targets import listed, of_scores
from avemotion.report import cells, page, served_section

PICTURES = {
    "folds.png": "Concordance (CCC) on each test fold and on all together, 95 % intervals over dialogues.",
    "plane.png": "Test turns in the plane of valence and arousal: true, predicted, and the error between.",
    "attention_affect.png": "Which sound of a turn counts, for the best, the median and the worst predicted turn.",
    "branches.png": "How each target weighs its own branch against the rest.",
}


def parts(affect: Mapping[str, Any], plots: Path) -> list[str]:
    """affect: metrics/detail/affect.json; plots: folder of its pictures."""
    targets = of_scores(affect)
    names = {f"ccc_{target}": f"CCC {target}" for target in targets}  # score -> its name
    return [
        page.heading(listed(targets).capitalize()),
        page.paragraph(
            f"{affect['turns']} test turns{_rated(affect)} of {affect['dialogues']} dialogues and "
            f"{affect['speakers']} speakers; 95 % intervals by bootstrap over dialogues. On "
            "validation turns, by which settings are chosen: "
            + ", ".join(f"CCC {target} {cells.number(affect['val'][f'ccc_{target}'])}" for target in targets)
            + "."
        ),
        *cells.speaker_statistics(affect, "turns"),
        page.table(
            ("", "CCC", "Pearson", "RMSE", "CCC by fold", "training mean: CCC", "RMSE", "baseline: CCC"),
            _affect_rows(affect),
        ),
        page.paragraph(cells.against_baseline("The model", affect, names)),
        cells.pictures(plots, PICTURES),
        *served_section.parts(affect["served"], names, "turns"),
    ]


def _rated(affect: Mapping) -> str:
    """The turns with a label of one target, where these were counted: not with valence and arousal alone."""
    counts = [f"{count} with {target}" for target, count in affect.get("labelled", {}).items()]
    return f" with a label of each target ({', '.join(counts)})" if counts else ""


def _affect_rows(affect: Mapping) -> list[list[str]]:
    return [
        [
            target,
            cells.bounded(affect, f"ccc_{target}"),
            cells.number(affect[f"pearson_{target}"]),
            cells.number(affect[f"rmse_{target}"]),
            f"{cells.number(affect['mean'][f'ccc_{target}'])} ± {cells.number(affect['sd'][f'ccc_{target}'])}",
            cells.number(affect["training_mean"][f"ccc_{target}"]),
            cells.number(affect["training_mean"][f"rmse_{target}"]),
            cells.number(affect["baseline"][f"ccc_{target}"]),
        ]
        for target in of_scores(affect)
    ]
