"""The section of report.html about emotion: scores, conditions and pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avemotion.plots.emotion import conditions
from avemotion.report import cells, page, served_section, stills_section

PICTURES = {
    "confusion.png": "True and predicted emotion of every test clip.",
    "calibration.png": "Does confidence keep its promise? Bars show the gap between confidence and accuracy.",
    "attention_emotion.png": "The best, the median and the worst predicted test clip on one time axis.",
    "conditions.png": "Test clips in ever more noise, and without picture or sound; 95 % intervals over speakers.",
    "gates.png": "How much of each test clip's embedding is sound.",
}


def parts(emotion: Mapping[str, Any], plots: Path) -> list[str]:
    """emotion: metrics/detail/emotion.json; plots: folder of its pictures."""
    return [
        page.heading("Emotion"),
        page.paragraph(
            f"{emotion['clips']} test clips of {emotion['speakers']} speakers; 95 % intervals by bootstrap over them."
        ),
        *cells.speaker_statistics(emotion, "clips"),
        page.table(("", "accuracy", "UAR", "macro-F1"), _emotion_rows(emotion)),
        page.paragraph(cells.against_baseline("The fusion model", emotion, {"uar": "UAR"})),
        page.paragraph(calibration(emotion["calibration"]["fusion"])),
        *relative_to_speakers(emotion["speaker_normalised"]),
        *served_section.parts(emotion["served"], {"uar": "UAR", "accuracy": "accuracy"}, "clips"),
        page.heading("Emotion in noise and without a modality"),
        page.table(("test clips", "accuracy", "UAR"), _condition_rows(emotion)),
        cells.pictures(plots, PICTURES),
        *stills_section.parts(emotion.get("faces"), plots),
    ]


def _emotion_rows(emotion: Mapping) -> list[list[str]]:
    names = ("accuracy", "uar", "macro_f1")
    test = emotion["test"]
    rows = [["fusion", *(cells.bounded(test, name) for name in names)]]
    if "mean" in emotion:
        spread = [f"{cells.number(emotion['mean'][name])} ± {cells.number(emotion['sd'][name])}" for name in names]
        rows.append(["fusion, mean ± sd over folds", *spread])
    rows.append(["fusion on validation clips", *(cells.number(emotion["val"][name]) for name in names)])
    rows += [[f"{part} alone", *(cells.number(emotion[part][name]) for name in names)] for part in ("audio", "video")]
    rows.append(["baseline: prosody, scikit-learn", *(cells.number(emotion["baseline"][name]) for name in names)])
    rows.append(["most frequent training class", cells.number(emotion["majority"]), cells.NONE, cells.NONE])
    return [*rows, ["chance", cells.NONE, cells.number(emotion["chance"]), cells.NONE]]


def calibration(of: Mapping) -> str:
    """What temperature scaling changes on the test clips."""
    fitted = of["temperature"]
    named = ", ".join(f"{t:.2f}" for t in (fitted.values() if isinstance(fitted, Mapping) else [fitted]))
    return (
        f"Expected calibration error {cells.number(of['error'])} as trained, {cells.number(of['error_scaled'])} with "
        f"the temperature that was fitted on validation clips ({named}); negative log-likelihood "
        f"{cells.number(of['nll'])} and {cells.number(of['nll_scaled'])}. commands.predict uses the temperature."
    )


def relative_to_speakers(of: Mapping) -> list[str]:
    """The scores with logits relative to the speaker; [] where evaluate.speaker_logits is none."""
    if not of:
        return []
    what = {"mean": "minus their mean", "mean_std": "minus their mean and over their deviation"}[of["logits"]]
    limits = f"Logits {what} over each test speaker's own clips, without labels (speaker_statistics: true)."
    if of["logits"] == "mean_std":
        limits += " Only where speakers show every emotion about equally often, as in acted corpora."
    names = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1"}
    rows = [["fusion", *(cells.bounded(of["test"], name) for name in names)]]
    rows.append(["difference from single clips", *(cells.change(of["gain"][name]) for name in names)])
    for title, key in (("fusion on validation clips", "val"), ("audio alone", "audio"), ("video alone", "video")):
        rows.append([title, *(cells.number(of[key][name]) for name in names)])
    return [
        page.heading("Emotion relative to the speaker"),
        page.paragraph(limits),
        *(page.paragraph(f"Speakers with {text}.", "notice") for text in of["warnings"]),
        page.table(("", *names.values()), rows),
    ]


def _condition_rows(emotion: Mapping) -> list[list[str]]:
    scores = {conditions.AS_IS: emotion["test"]}
    scores |= {conditions.label(name): of for name, of in conditions.ordered(emotion["condition"]).items()}
    return [[name, *(cells.bounded(of, score) for score in conditions.SCORES)] for name, of in scores.items()]
