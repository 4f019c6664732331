"""Cells and sentences that the sections of report.html share."""

import math
from collections.abc import Mapping
from pathlib import Path

from avemotion.report import page
from avemotion.scoring import against_baseline as gains

NONE = "–"  # noqa: RUF001 (an empty cell, not a minus)


def number(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.3f}"


def bounded(scores: Mapping, name: str) -> str:
    return f"{number(scores[name])} [{number(scores[f'{name}_low'])}, {number(scores[f'{name}_high'])}]"


def change(of: Mapping) -> str:
    """A difference with its interval."""
    value, low, high = (NONE if math.isnan(of[name]) else f"{of[name]:+.3f}" for name in ("difference", "low", "high"))
    return f"{value} [{low}, {high}]"


def pictures(folder: Path, captions: Mapping[str, str]) -> str:
    return page.pictures({folder / name: caption for name, caption in captions.items()})


def speaker_statistics(scores: Mapping, rows: str) -> list[str]:
    """A notice where the models use statistics of test speakers; rows: clips or turns."""
    if not scores.get("speaker_statistics"):
        return []
    text = f"The model's inputs are standardised by each test speaker's own {rows}, without labels"
    return [page.paragraph(f"{text} (speaker_statistics: true).", "notice")]


def against_baseline(model: str, scores: Mapping, names: Mapping[str, str]) -> str:
    """Whether a model beats the baseline, and whether that baseline used statistics of test speakers."""
    of = scores["baseline"]
    sentences = [gains.verdict(model, title, of["gain"][name]) for name, title in names.items()]
    if of["speaker_statistics"]:
        sentences.append("The baseline is standardised by each test speaker's own clips.")
    return " ".join(sentences)
