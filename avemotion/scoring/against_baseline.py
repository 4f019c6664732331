"""Scores of the stage baseline, and what the trained models gain over it on the same test rows (paired)."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avemotion.formats import targets
from avemotion.formats.labels import CorpusFacts
from avemotion.scoring import intervals, results, summaries
from avemotion.scoring.cluster_sums import Sums
from avemotion.scoring.results import Affect, Emotion
from avemotion.system.seeds import seed_for

STAGES = {"emotion": "baseline/emotion", "affect": "baseline/affect"}  # folders below data/models


def emotion(of: Emotion, draws: int, seed: int, root: Path = Path()) -> dict[str, Any]:
    """Scores of the baseline on test and validation clips; `gain` is that of the fusion model, with interval and p.

    Raises:
        ValueError: as results.classified.
    """
    if _left_out("emotion", root):
        return _undefined(("accuracy", "uar", "macro_f1"))
    classes = of.facts.classes
    rows = {on: results.classified(STAGES["emotion"], of.facts, of.known, root, on) for on in results.NAMES}
    sums = {on: summaries.emotion_sums(table, classes) for on, table in rows.items()}
    gains = gain(
        summaries.emotion_sums(of.fusion, classes), sums["test"], draws, seed_for(seed, "bootstrap", "emotion")
    )
    return {
        **sums["test"].estimate(),
        "val": sums["val"].estimate(),
        "gain": gains,
        **_facts("emotion", of.facts, root),
    }


def affect(of: Affect, draws: int, seed: int, root: Path = Path()) -> dict[str, Any]:
    """CCC of the baseline on test and validation turns; `gain` is that of va, over the turns that both predict.

    Raises:
        ValueError: as results.predicted_turns.
    """
    if _left_out("affect", root):
        return _undefined([f"ccc_{target}" for target in of.targets])
    rows = {on: results.predicted_turns(of.facts, of.known, root, on, stage=STAGES["affect"]) for on in results.NAMES}
    if missing := [target for target in of.targets if target not in targets.predicted(rows["test"])]:
        raise ValueError(f"{results.MODELS / STAGES['affect']}: no prediction of {missing[0]}; {results.REMEDY}")
    scores: dict[str, Any] = {"val": {}, "gain": {}}
    silent = set(of.turns["id"][of.turns["silent"]]) | set(rows["test"]["id"][rows["test"]["silent"]])
    for target in of.targets:
        name = f"ccc_{target}"
        scores[name] = _ccc(rows["test"], target).estimate()["ccc"]
        scores["val"][name] = _ccc(rows["val"], target).estimate()["ccc"]
        model, baseline = (_ccc(table[~table["id"].isin(silent)], target) for table in (of.turns, rows["test"]))
        scores["gain"][name] = gain(model, baseline, draws, seed_for(seed, "bootstrap", target))["ccc"]
    return scores | _facts("affect", of.facts, root)


SCORES: dict[str, Callable[[Any, int, int], dict[str, Any]]] = {"emotion": emotion, "affect": affect}


def gain(model: Sums, baseline: Sums, draws: int, seed: int) -> dict[str, dict[str, float]]:
    """Score -> difference (model - baseline), low and high of its 95 % interval, and p.

    Both get the same drawn clusters.
    """
    times = intervals.times_drawn(len(model.values), draws, seed)
    drawn, values = (
        [intervals.resample([sums], times) for sums in (model, baseline)],
        [model.estimate(), baseline.estimate()],
    )
    gains = {}
    for name in values[0]:
        change = drawn[0][name] - drawn[1][name]
        low, high = intervals.bounds(change)
        p = intervals.p_value(change, len(model.values))
        gains[name] = {"difference": values[0][name] - values[1][name], "low": low, "high": high, "p": p}
    return gains


def verdict(model: str, score: str, gains: dict[str, float]) -> str:
    """A sentence: whether a model beats the baseline in a score."""
    number = f"{gains['difference']:+.3f} [{gains['low']:+.3f}, {gains['high']:+.3f}], p {gains['p']:.3f}"
    if np.isnan(gains["difference"]):
        return f"{model} and the baseline cannot be compared in {score}."
    if gains["difference"] <= 0:
        return f"{model} does not beat the baseline in {score}: {number}."
    if not gains["low"] > 0:
        return f"{model} does not clearly beat the baseline in {score}: {number}."
    return f"{model} beats the baseline in {score}: {number}."


def _left_out(role: str, root: Path) -> bool:
    """Whether the stage left a reason in place of predictions: a corpus without sound."""
    return (root / results.MODELS / STAGES[role] / "README.md").is_file()


def _undefined(names: Iterable[str]) -> dict[str, Any]:
    none = dict.fromkeys(names, math.nan)
    change = dict.fromkeys(("difference", "low", "high", "p"), math.nan)
    return {**none, "val": none, "gain": dict.fromkeys(names, change), "speaker_statistics": False, "chosen": {}}


def _ccc(turns: pd.DataFrame, target: str) -> Sums:
    return summaries.affect_sums(summaries.labelled(turns.sort_values("id"), target))


def _facts(role: str, facts: CorpusFacts, root: Path) -> dict[str, Any]:
    """Whether statistics of test speakers were used, and how often validation chose which estimator."""
    chosen: Counter[str] = Counter()
    used = False
    for folder in results.stage_folders(STAGES[role], facts.folds, root).values():
        file = folder / "model.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            chosen.update(f"{name}: {of['model']}, C {of['c']:g}" for name, of in content["chosen"].items())
            used |= content["speaker_statistics"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}: cannot be read ({error}); {results.REMEDY}") from error
    return {"speaker_statistics": used, "chosen": dict(sorted(chosen.items()))}
