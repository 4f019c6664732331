"""The content of report.html: headlines with intervals, baselines, every picture of plots/, params of the run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from avemotion.formats.targets import of_scores
from avemotion.report import affect_section, cells, emotion_section, page

TITLE = "Audio-visual emotion: report of a run"
ATTENTION = {
    "profiles.png": "Where in a clip attention lies, mean of the test clips of each emotion.",
    "entropy.png": "How evenly attention is spread; 1 is uniform.",
}
FACES = {"faces.png": "The middle frame of clips as the models get it; a cross: the centre, because no face was found."}
TRAINING = {"training.png": "Training curves; the marked epoch, best on validation clips, is the one that is used."}


@dataclass(frozen=True, kw_only=True)
class Report:
    """The data of the page."""

    scores: Mapping[str, Mapping[str, Any]]  # role with a corpus -> metrics/detail/<role>.json
    manifest: Mapping[str, Any]  # metrics/detail/manifest.json
    rejects: Mapping[str, pd.DataFrame]  # role -> rejected.csv (path, reason)
    params: Mapping[str, Any]  # section -> values of this run
    ablations: Mapping[str, str]  # name -> Markdown that commands.ablations wrote of other runs


def write(file: Path, pictures: Mapping[str, Path], report: Report) -> None:
    """Write the page; pictures: emotion, affect, both and faces -> folder of their pictures."""
    emotion, affect = report.scores.get("emotion"), report.scores.get("affect")
    parts = []
    if any(scores["synthetic"] for scores in report.scores.values()):
        parts.append(page.paragraph("Synthetic sample: these scores say nothing about people.", "notice"))
    if any(scores["speaker_overlap"] for scores in report.scores.values()):
        parts.append(page.paragraph("Speakers are in several splits: these scores are too good.", "notice"))
    parts.append(page.cards(_headlines(emotion, affect)))
    if emotion:
        parts += emotion_section.parts(emotion, pictures["emotion"])
    parts += [page.heading("Attention of all test clips"), cells.pictures(pictures["both"], ATTENTION)]
    if affect:
        parts += affect_section.parts(affect, pictures["affect"])
    parts += [f"{page.heading(f'Ablations: {name}')}\n{page.markdown(text)}" for name, text in report.ablations.items()]
    params = {f"params: {name}": _yaml(value) for name, value in report.params.items()}
    parts += [
        page.heading("Faces"),
        cells.pictures(pictures["faces"], FACES),
        page.heading("Training"),
        cells.pictures(pictures["both"], TRAINING),
        page.heading("What was run"),
        page.table(("", "clips", "speakers", "rejected", "split"), _data_rows(report.manifest)),
        *_raters(report.manifest.get("emotion", {}).get("agreement")),
        page.folded(_reject_texts(report.rejects) | params),
    ]
    page.write(file, TITLE, parts)


def _headlines(emotion: Mapping[str, Any] | None, affect: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    bounds = []
    if emotion:
        bounds.append(("Emotion: UAR", emotion["test"], "uar", f"chance {emotion['chance']:.3f}"))
    if affect:
        bounds += [(f"CCC {target}", affect, f"ccc_{target}", "training mean 0") for target in of_scores(affect)]
    cards = [
        (
            name,
            cells.number(of[key]),
            f"95 %: {cells.number(of[f'{key}_low'])} to {cells.number(of[f'{key}_high'])}; {note}",
        )
        for name, of, key, note in bounds
    ]
    if emotion:
        error = cells.number(emotion["test"]["calibration_error"])
        cards.append(("Calibration error", error, "expected, 15 bins; 0 is perfect"))
    return cards


def _data_rows(manifest: Mapping) -> list[list[str]]:
    rows = []
    for role, of in manifest.items():
        split = ", ".join(f"{part.replace('_', ' ')}: {count}" for part, count in of["split"].items())
        rows.append([role, *(str(of[name]) for name in ("clips", "speakers", "rejected")), split])
    return rows


def _raters(agreement: Mapping[str, float] | None) -> list[str]:
    """How far the raters of the emotion role agree; [] without votes."""
    if not agreement:
        return []
    return [
        page.paragraph(
            f"Raters of emotion: {agreement['raters']:.1f} votes a clip for {agreement['clips']} clips, Krippendorff's "
            f"alpha {agreement['alpha']:.3f}, entropy {agreement['entropy']:.2f} bits. "
            f"{agreement['label_share']:.1%} of the votes are for the clip's label: the accuracy of one of the raters."
        )
    ]


def _reject_texts(rejects: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """The reasons of each role with their counts; the most frequent comes first."""
    texts = {}
    for role, rows in rejects.items():
        counts = Counter(str(reason).partition(": ")[0] for reason in rows["reason"])
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        title = f"{role}: {len(rows)} rejected"
        texts[title] = "\n".join(f"{count} x {reason}" for reason, count in listed) or "nothing was rejected"
    return texts


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None).rstrip()
