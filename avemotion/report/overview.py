"""The content of report.html: headlines with intervals, baselines, every picture of plots/, params of the run."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from avemotion.formats.targets import TARGETS
from avemotion.plots.emotion import conditions
from avemotion.report import page
from avemotion.scoring import against_baseline

TITLE = "Audio-visual emotion: report of a run"
NONE = "–"  # noqa: RUF001 (an empty cell, not a minus)
EMOTION = {
    "confusion.png": "True and predicted emotion of every test clip.",
    "calibration.png": "Does confidence keep its promise? Bars show the gap between confidence and accuracy.",
    "attention_emotion.png": "The best, the median and the worst predicted test clip on one time axis.",
    "conditions.png": "Test clips in ever more noise, and without picture or sound; 95 % intervals over speakers.",
    "gates.png": "How much of each test clip's embedding is sound.",
}
ATTENTION = {
    "profiles.png": "Where in a clip attention lies, mean of the test clips of each emotion.",
    "entropy.png": "How evenly attention is spread; 1 is uniform.",
}
AFFECT = {
    "folds.png": "Concordance (CCC) on each test fold and on all together, 95 % intervals over dialogues.",
    "plane.png": "Test turns in the plane of valence and arousal: true, predicted, and the error between.",
    "attention_affect.png": "Which sound of a turn counts, for the best, the median and the worst predicted turn.",
    "branches.png": "How each target weighs its own branch against the rest.",
}
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
    """Write the page; pictures: emotion, affect and both -> folder of their pictures."""
    emotion, affect = report.scores.get("emotion"), report.scores.get("affect")
    parts = []
    if any(scores["synthetic"] for scores in report.scores.values()):
        parts.append(page.paragraph("Synthetic sample: these scores say nothing about people.", "notice"))
    if any(scores["speaker_overlap"] for scores in report.scores.values()):
        parts.append(page.paragraph("Speakers are in several splits: these scores are too good.", "notice"))
    parts.append(page.cards(_headlines(emotion, affect)))
    if emotion:
        parts += _emotion(emotion, pictures["emotion"])
    parts += [page.heading("Attention of all test clips"), _pictures(pictures["both"], ATTENTION)]
    if affect:
        parts += _affect(affect, pictures["affect"])
    parts += [f"{page.heading(f'Ablations: {name}')}\n{page.markdown(text)}" for name, text in report.ablations.items()]
    params = {f"params: {name}": _yaml(value) for name, value in report.params.items()}
    parts += [
        page.heading("Training"),
        _pictures(pictures["both"], TRAINING),
        page.heading("What was run"),
        page.table(("", "clips", "speakers", "rejected", "split"), _data_rows(report.manifest)),
        page.folded(_reject_texts(report.rejects) | params),
    ]
    page.write(file, TITLE, parts)


def _emotion(emotion: Mapping[str, Any], plots: Path) -> list[str]:
    return [
        page.heading("Emotion"),
        page.paragraph(
            f"{emotion['clips']} test clips of {emotion['speakers']} speakers; 95 % intervals by bootstrap over them."
        ),
        page.table(("", "accuracy", "UAR", "macro-F1"), _emotion_rows(emotion)),
        page.paragraph(_against_baseline("The fusion model", emotion, {"uar": "UAR"})),
        page.heading("Emotion in noise and without a modality"),
        page.table(("test clips", "accuracy", "UAR"), _condition_rows(emotion)),
        _pictures(plots, EMOTION),
    ]


def _affect(affect: Mapping[str, Any], plots: Path) -> list[str]:
    return [
        page.heading("Valence and arousal"),
        page.paragraph(
            f"{affect['turns']} test turns of {affect['dialogues']} dialogues and {affect['speakers']} speakers; "
            "95 % intervals by bootstrap over dialogues. On validation turns, by which settings are chosen: "
            + ", ".join(f"CCC {target} {_number(affect['val'][f'ccc_{target}'])}" for target in TARGETS)
            + "."
        ),
        page.table(
            ("", "CCC", "Pearson", "RMSE", "CCC by fold", "training mean: CCC", "RMSE", "baseline: CCC"),
            _affect_rows(affect),
        ),
        page.paragraph(
            _against_baseline("The model", affect, {f"ccc_{target}": f"CCC {target}" for target in TARGETS})
        ),
        _pictures(plots, AFFECT),
    ]


def _headlines(emotion: Mapping[str, Any] | None, affect: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    bounds = []
    if emotion:
        bounds.append(("Emotion: UAR", emotion["test"], "uar", f"chance {emotion['chance']:.3f}"))
    if affect:
        bounds += [(f"CCC {target}", affect, f"ccc_{target}", "training mean 0") for target in TARGETS]
    cards = [
        (name, _number(of[key]), f"95 %: {_number(of[f'{key}_low'])} to {_number(of[f'{key}_high'])}; {note}")
        for name, of, key, note in bounds
    ]
    if emotion:
        error = _number(emotion["test"]["calibration_error"])
        cards.append(("Calibration error", error, "expected, 15 bins; 0 is perfect"))
    return cards


def _emotion_rows(emotion: Mapping) -> list[list[str]]:
    names = ("accuracy", "uar", "macro_f1")
    test = emotion["test"]
    rows = [["fusion", *(_bounded(test, name) for name in names)]]
    if "mean" in emotion:
        spread = [f"{_number(emotion['mean'][name])} ± {_number(emotion['sd'][name])}" for name in names]
        rows.append(["fusion, mean ± sd over folds", *spread])
    rows.append(["fusion on validation clips", *(_number(emotion["val"][name]) for name in names)])
    rows += [[f"{part} alone", *(_number(emotion[part][name]) for name in names)] for part in ("audio", "video")]
    rows.append(["baseline: prosody, scikit-learn", *(_number(emotion["baseline"][name]) for name in names)])
    rows.append(["most frequent training class", _number(emotion["majority"]), NONE, NONE])
    return [*rows, ["chance", NONE, _number(emotion["chance"]), NONE]]


def _against_baseline(model: str, scores: Mapping, names: Mapping[str, str]) -> str:
    """Whether a model beats the baseline, and whether that baseline used statistics of test speakers."""
    of = scores["baseline"]
    sentences = [against_baseline.verdict(model, title, of["gain"][name]) for name, title in names.items()]
    if of["speaker_statistics"]:
        sentences.append("The baseline is standardised by each test speaker's own clips.")
    return " ".join(sentences)


def _condition_rows(emotion: Mapping) -> list[list[str]]:
    scores = {conditions.AS_IS: emotion["test"]}
    scores |= {conditions.label(name): of for name, of in conditions.ordered(emotion["condition"]).items()}
    return [[name, *(_bounded(of, score) for score in conditions.SCORES)] for name, of in scores.items()]


def _affect_rows(affect: Mapping) -> list[list[str]]:
    return [
        [
            target,
            _bounded(affect, f"ccc_{target}"),
            _number(affect[f"pearson_{target}"]),
            _number(affect[f"rmse_{target}"]),
            f"{_number(affect['mean'][f'ccc_{target}'])} ± {_number(affect['sd'][f'ccc_{target}'])}",
            _number(affect["training_mean"][f"ccc_{target}"]),
            _number(affect["training_mean"][f"rmse_{target}"]),
            _number(affect["baseline"][f"ccc_{target}"]),
        ]
        for target in TARGETS
    ]


def _data_rows(manifest: Mapping) -> list[list[str]]:
    rows = []
    for role, of in manifest.items():
        split = ", ".join(f"{part.replace('_', ' ')}: {count}" for part, count in of["split"].items())
        rows.append([role, *(str(of[name]) for name in ("clips", "speakers", "rejected")), split])
    return rows


def _reject_texts(rejects: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """The reasons of each role with their counts; the most frequent comes first."""
    texts = {}
    for role, rows in rejects.items():
        counts = Counter(str(reason).partition(": ")[0] for reason in rows["reason"])
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        title = f"{role}: {len(rows)} rejected"
        texts[title] = "\n".join(f"{count} x {reason}" for reason, count in listed) or "nothing was rejected"
    return texts


def _pictures(folder: Path, captions: Mapping[str, str]) -> str:
    return page.pictures({folder / name: caption for name, caption in captions.items()})


def _bounded(scores: Mapping, name: str) -> str:
    return f"{_number(scores[name])} [{_number(scores[f'{name}_low'])}, {_number(scores[f'{name}_high'])}]"


def _number(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.3f}"


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None).rstrip()
