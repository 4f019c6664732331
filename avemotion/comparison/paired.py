"""Saved predictions of several models on the same rows: headline scores, and differences with interval and p.

The rows are the validation clips or the test clips. Settings are chosen on validation clips, and scored on test clips.
A setting is a list of models with the same params, one per seed. Its score is the mean over them. The bootstrap
resamples clips, by speaker (emotion) or dialogue (valence and arousal); both sides of a difference get the same
clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.comparison import compared_models
from avemotion.formats import targets
from avemotion.scoring import intervals, results, summaries
from avemotion.scoring.cluster_sums import Sums
from avemotion.scoring.headlines import HEADLINES
from avemotion.scoring.results import NAMES, On
from avemotion.system.seeds import seed_for

CLUSTERS = {"emotion": "speakers", **dict.fromkeys(targets.RATED, "dialogues")}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Test or validation rows of one model (fusion with its va model), and the sums of its scores."""

    name: str
    classes: list[str]  # emotions in class-index order
    emotion: pd.DataFrame  # id, label, predicted, p_<class> ..., speaker, fold
    affect: pd.DataFrame | None  # id, dialogue, <target> and <target>_predicted; None = no va model
    sums: dict[str, Sums]  # emotion and, with a va model, its targets
    synthetic: bool
    on: On  # the rows

    def headlines(self) -> dict[str, float]:
        """Scores of the model, those of HEADLINES."""
        return _named({part: sums.estimate() for part, sums in self.sums.items()})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A headline of two settings: each one's mean over seeds, second - first, its 95 % interval and p."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    clusters: int  # speakers or dialogues


def read(root: Path, name: str, model: str, *, affect: bool, on: On) -> Judged:
    """One model of the project in root.

    Args:
        name: of the model, for messages.
        model: one of MODELS, or BASELINE.
        affect: read the predictions of its va model too.
        on: the rows, val or test.

    Raises:
        ValueError: a file is missing, or does not fit the labels.
    """
    stages = compared_models.stages(model, affect=affect)
    facts, known = results.read_manifest("emotion", root)
    emotion = results.classified(stages[0], facts, known, root, on)
    sums, turns = {"emotion": summaries.emotion_sums(emotion, facts.classes)}, None
    if affect:
        turns = results.predicted_turns(*results.read_manifest("affect", root), root, on, stages[1])
        names = targets.predicted(turns)
        sums |= {target: summaries.affect_sums(summaries.labelled(turns, target)) for target in names}
        turns = turns.sort_values("id", ignore_index=True)
    return Judged(
        name=name, classes=facts.classes, emotion=emotion, affect=turns, sums=sums, synthetic=facts.synthetic, on=on
    )


def check_same_rows(first: Judged, second: Judged) -> None:
    """Check that both models have predictions for the same clips with the same labels.

    Raises:
        ValueError: a clip is missing from one of them, or its label, speaker or dialogue differs.
    """
    what_rows = NAMES[first.on]
    tables = [(f"{what_rows} clips", first.emotion, second.emotion, ["label", "speaker"])]
    if first.affect is not None and second.affect is not None:
        both = targets.common([first.affect, second.affect])
        tables.append((f"{what_rows} turns", first.affect, second.affect, [*both, "dialogue"]))
    for what, a, b, columns in tables:
        foreign = sorted(set(a["id"]) ^ set(b["id"]))
        if foreign:
            raise ValueError(
                f"{first.name} and {second.name} have predictions of different {what}: {len(foreign)} are in one of "
                f"them alone ({', '.join(foreign[:3])}{', ...' if len(foreign) > 3 else ''}); compare runs of one split"
            )
        for column in columns:
            differs = (a[column] != b[column]) & ~(a[column].isna() & b[column].isna())
            for row in np.flatnonzero(differs)[:1]:
                raise ValueError(
                    f"{first.name} and {second.name}: {column} of {a['id'][row]} is {a[column][row]} in one and "
                    f"{b[column][row]} in the other; compare runs of the same labels"
                )


def mean_scores(setting: Sequence[Judged]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation (n - 1; NaN for one seed) over seeds of each headline that all seeds have."""
    scores = pd.DataFrame([judged.headlines() for judged in setting]).dropna(axis=1)
    return {name: (float(scores[name].mean()), float(scores[name].std(ddof=1))) for name in scores}


def draw(setting: Sequence[Judged], draws: int, seed: int) -> dict[str, np.ndarray]:
    """Each headline of each bootstrap draw [draws], mean over seeds. Every setting gets the same clips."""
    parts = {}
    for part in (part for part in setting[0].sums if all(part in judged.sums for judged in setting)):
        first = setting[0].sums[part]
        times = intervals.times_drawn(len(first.values), draws, seed_for(seed, "bootstrap", part))
        parts[part] = intervals.resample([judged.sums[part] for judged in setting], times)
    return _named(parts)


def differences(first: Sequence[Judged], second: Sequence[Judged], draws: int, seed: int) -> dict[str, Difference]:
    """second - first for each headline that both have.

    Raises:
        ValueError: the test rows of any two models differ.
    """
    for judged in [*first[1:], *second]:
        check_same_rows(first[0], judged)
    drawn = [draw(setting, draws, seed) for setting in (first, second)]
    means = [mean_scores(setting) for setting in (first, second)]
    changes = {}
    for name in (name for name in drawn[0] if name in drawn[1]):
        change = drawn[1][name] - drawn[0][name]
        clusters = len(first[0].sums[part_of(name)].values)
        low, high = intervals.bounds(change)
        a, b = (mean[name][0] for mean in means)
        p = intervals.p_value(change, clusters)
        changes[name] = Difference(first=a, second=b, difference=b - a, low=low, high=high, p=p, clusters=clusters)
    return changes


def part_of(headline: str) -> str:
    """The key of Judged.sums for a headline."""
    return headline.removeprefix("ccc_") if headline.startswith("ccc_") else "emotion"


def _named(parts: dict[str, dict]) -> dict:
    """The headlines among the scores of each part."""
    scores = {(part, name): value for part, named in parts.items() for name, value in named.items()}
    keys = {headline: (part_of(headline), headline.split("_")[0] if "ccc" in headline else headline)
            for headline in HEADLINES}  # fmt: skip
    return {headline: scores[key] for headline, key in keys.items() if key in scores}
