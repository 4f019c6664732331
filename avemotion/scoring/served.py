"""Whom a model serves: its scores on the test rows by gender and by speaker, and the speaker with the worst score."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from avemotion.scoring import summaries
from avemotion.scoring.results import Affect, Emotion

LEAST = 5  # clips or turns of a speaker below which a score is chance, so that he or she is not named as the worst
UNKNOWN = "unknown"  # gender of speakers for whom the corpus does not state it

Scores = dict[str, float]


def emotion(of: Emotion) -> dict[str, Any]:
    """Scores of the fusion model, each over the classes in the truth of the group; `worst` is by UAR."""
    classes = of.facts.classes

    def scores(rows: pd.DataFrame) -> Scores:
        return {"clips": len(rows), **summaries.emotion_sums(rows, classes).estimate()}

    groups = _groups(of.fusion, scores)
    return groups | {"worst": {"uar": _worst(groups["speaker"], "uar", "clips")}}


def affect(of: Affect) -> dict[str, Any]:
    """CCC of the model va over the labelled turns of the group; `worst` is by the CCC of each target."""

    def scores(rows: pd.DataFrame) -> Scores:
        values: Scores = {"turns": int(rows[of.targets].notna().all(axis=1).sum())}
        for target in of.targets:
            pair = summaries.labelled(rows, target)
            values[f"ccc_{target}"] = summaries.affect_sums(pair).estimate()["ccc"] if len(pair) else float("nan")
        return values

    groups, names = _groups(of.turns, scores), [f"ccc_{target}" for target in of.targets]
    return groups | {"worst": {name: _worst(groups["speaker"], name, "turns") for name in names}}


SCORES: dict[str, Callable[[Any], dict[str, Any]]] = {"emotion": emotion, "affect": affect}


def _groups(rows: pd.DataFrame, scores: Callable[[pd.DataFrame], Scores]) -> dict[str, dict[str, Any]]:
    """Scores by gender, with the number of speakers ({} where the corpus states none), and by speaker."""
    genders = rows["gender"].fillna(UNKNOWN)
    by_gender: dict[str, Any] = {}
    if rows["gender"].notna().any():
        for gender, own in rows.groupby(genders):
            by_gender[str(gender)] = {"speakers": own["speaker"].nunique(), **scores(own)}
    return {"gender": by_gender, "speaker": {str(name): scores(own) for name, own in rows.groupby("speaker")}}


def _worst(speakers: dict[str, Scores], score: str, size: str) -> dict[str, Any]:
    """The speaker with the lowest score among those with LEAST rows or more; {} where there is none."""
    names = [name for name, of in speakers.items() if of[size] >= LEAST and not np.isnan(of[score])]
    if not names:
        return {}
    name = min(names, key=lambda name: speakers[name][score])
    return {"speaker": name, **speakers[name]}
