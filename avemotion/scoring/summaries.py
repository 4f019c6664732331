"""Contents of metrics/: stable keys and rounded scores; NaN becomes null.

metrics/<role>.json has the headlines, metrics/detail/<role>.json all scores.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avemotion.formats import targets
from avemotion.formats.labels import CorpusFacts
from avemotion.scoring import cluster_sums, intervals, metrics, reported_metrics
from avemotion.scoring.results import Affect, Emotion
from avemotion.system.seeds import seed_for

DECIMALS = 6
SCORES = {"accuracy": metrics.accuracy, "uar": metrics.uar, "macro_f1": metrics.macro_f1}
AGREEMENT = {"ccc": metrics.ccc, **reported_metrics.AGREEMENT}


def emotion(results: Emotion, draws: int, seed: int) -> dict[str, Any]:
    """Scores of the fusion model on the test clips, of the unimodal models and of two baselines.

    <score>_low and _high are bounds of 95 % intervals of a bootstrap over speakers. `majority` is the accuracy of the
    most frequent class of the training clips, `chance` the UAR of any prediction that ignores its input. With folds,
    `test` is over all folds together; mean and sd over folds and each fold follow. `val` holds the scores of the same
    models on the validation clips, by which training and settings are chosen.
    """
    classes, fusion = results.facts.classes, results.fusion
    truth, prediction = indices(fusion, classes)
    shares = fusion[[f"p_{name}" for name in classes]].to_numpy()
    bounds = intervals.bootstrap(
        emotion_sums(fusion, classes), draws=draws, seed=seed_for(seed, "bootstrap", "emotion")
    )
    test: dict[str, float] = {}
    for name, score in SCORES.items():
        test |= {name: score(truth, prediction), f"{name}_low": bounds[name].low, f"{name}_high": bounds[name].high}
    for name, reported in reported_metrics.CLASSIFICATION.items():
        test[name] = reported(truth, prediction, shares)
    parts = {f"fold_{fold}": fusion[fusion["fold"] == str(fold)] for fold in results.facts.folds}
    folds = {name: _scores(rows, classes) | {"clips": len(rows)} for name, rows in parts.items()}
    return {
        "test": test,
        "audio": _scores(results.audio, classes),
        "video": _scores(results.video, classes),
        "val": _validation(results),
        **(_over_folds(folds, tuple(SCORES)) if folds else {}),
        "condition": conditions(results, draws, seed),
        "majority": metrics.accuracy(*indices(fusion.assign(predicted=fusion["majority"]), classes)),
        "chance": 1 / len(np.unique(truth)),
        "recall": dict(zip(classes, metrics.recalls(truth, prediction, len(classes)).tolist(), strict=True)),
        "clips": len(truth),
        "speakers": fusion["speaker"].nunique(),
        "synthetic": results.facts.synthetic,
        "speaker_overlap": results.facts.speaker_overlap,
        "seed": seed,
    }


def _validation(results: Emotion) -> dict[str, Any]:
    """Scores on the validation clips: of the fusion model, then of the unimodal models."""
    classes, rows = results.facts.classes, results.validation
    scores: dict[str, Any] = {**_scores(rows["fusion"], classes), "clips": len(rows["fusion"])}
    return scores | {name: _scores(rows[f"pretrain_{name}"], classes) for name in ("audio", "video")}


def conditions(results: Emotion, draws: int, seed: int) -> dict[str, dict[str, float]]:
    """Accuracy and UAR of the fusion model, with intervals, on test clips without a modality or with noise.

    The bootstrap draws the same speakers as for the unchanged test clips.
    """
    scores: dict[str, dict[str, float]] = {}
    for name, rows in results.conditions.items():
        classes = results.facts.classes
        bounds = intervals.bootstrap(
            emotion_sums(rows, classes), draws=draws, seed=seed_for(seed, "bootstrap", "emotion")
        )
        values, scores[name] = _scores(rows, classes), {}
        for score in ("accuracy", "uar"):
            low, high = bounds[score]
            scores[name] |= {score: values[score], f"{score}_low": low, f"{score}_high": high}
    return scores


def affect(results: Affect, draws: int, seed: int) -> dict[str, Any]:
    """Scores of the targets: over all test turns together, mean and sd over folds, and each fold.

    ccc_*_low and _high are bounds of 95 % intervals of a bootstrap over dialogues. `val` holds the scores of the same
    models on the validation turns. `training_mean` predicts the mean of the fold's training turns. A score excludes
    turns without its label; `turns` counts the turns with a label of each target. With dominance, `labelled` counts
    those of each target.
    """
    pooled: dict[str, Any] = {}
    names = results.targets
    for target in names:
        pair = labelled(results.turns, target)
        low, high = ccc_interval(pair, draws, seed_for(seed, "bootstrap", target))
        for name, score in AGREEMENT.items():
            pooled[f"{name}_{target}"] = score(pair["truth"], pair["prediction"])
            if name == "ccc":
                pooled |= {f"ccc_{target}_low": low, f"ccc_{target}_high": high}
    folds = {f"fold_{fold}": _agreement(turns, names) for fold, turns in results.turns.groupby("fold")}
    means = results.turns.assign(**_training_means(results))
    training_mean = {}
    for name in ("ccc", "rmse"):
        for target in names:
            pair = labelled(means, target)
            training_mean[f"{name}_{target}"] = AGREEMENT[name](pair["truth"], pair["prediction"])
    unlabelled = results.turns[names].isna().any(axis=1)
    counts = {target: int(results.turns[target].notna().sum()) for target in names}
    return {
        **pooled,
        **_over_folds(folds, tuple(f"{name}_{target}" for name in AGREEMENT for target in names)),
        "val": _agreement(results.validation, names),
        "training_mean": training_mean,
        "turns": int((~unlabelled).sum()),
        **({} if names == targets.USUAL else {"labelled": counts}),
        "unlabelled": int(unlabelled.sum()),  # includes the silent turns
        "silent": int(results.turns["silent"].sum()),  # turns without sound
        "dialogues": results.turns["dialogue"].nunique(),
        "speakers": results.turns["speaker"].nunique(),
        "synthetic": results.facts.synthetic,
        "speaker_overlap": results.facts.speaker_overlap,
        "seed": seed,
    }


SUMMARIES: dict[str, Callable[[Any, int, int], dict[str, Any]]] = {"emotion": emotion, "affect": affect}


def manifest(corpora: Mapping[str, tuple[CorpusFacts, pd.DataFrame]]) -> dict[str, Any]:
    """Sizes of the corpora by role: clips, speakers, rejected files, clips by split or fold and by class.

    Args:
        corpora: role -> corpus.json and labels.csv.
    """
    sizes: dict[str, Any] = {}
    for role, (facts, known) in corpora.items():
        parts = [f"fold_{fold}" for fold in facts.folds] or ["train", "val", "test"]
        counts = known["split"].value_counts()
        sizes[role] = {
            "clips": facts.clips,
            "speakers": facts.speakers,
            "rejected": facts.rejected,
            "synthetic": facts.synthetic,
            "labels": facts.labels,
            "protocol": facts.protocol,
            "options": facts.options,
            "target": facts.target,
            "agreement": facts.agreement or {},
            "split": {part: int(counts.get(part.removeprefix("fold_"), 0)) for part in parts},
            "class": {name: int((known["label"] == name).sum()) for name in facts.classes},
        }
    return sizes


def labelled(turns: pd.DataFrame, target: str) -> pd.DataFrame:
    """truth, prediction and dialogue of the turns with a label for target."""
    rows = turns[turns[target].notna()]
    return pd.DataFrame(
        {"truth": rows[target], "prediction": rows[f"{target}_predicted"], "dialogue": rows["dialogue"]}
    )


def ccc_interval(pair: pd.DataFrame, draws: int, seed: int) -> intervals.Interval:
    """Bootstrap interval of the CCC over dialogues; pair: a result of `labelled`."""
    return intervals.bootstrap(affect_sums(pair), draws=draws, seed=seed)["ccc"]


def emotion_sums(table: pd.DataFrame, classes: list[str]) -> cluster_sums.Sums:
    """Sums per speaker of the test rows of a categorical model."""
    return cluster_sums.classified(*indices(table, classes), table["speaker"].to_numpy(str), len(classes))


def affect_sums(pair: pd.DataFrame) -> cluster_sums.Sums:
    """Sums per dialogue; pair: a result of `labelled`."""
    truth, prediction = pair["truth"].to_numpy(), pair["prediction"].to_numpy()
    return cluster_sums.agreement(truth, prediction, pair["dialogue"].to_numpy(str))


def read(file: Path) -> dict[str, Any]:
    """Scores of a file with the content of `text`; null becomes NaN.

    Raises:
        ValueError: the file is missing or damaged.
    """
    try:
        return _restored(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); run `dvc repro`") from error


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _restored(item) for name, item in value.items()}
    return math.nan if value is None else value


def synthetic_note(facts: CorpusFacts) -> str:
    """An addition to the titles of pictures."""
    return " (synthetic sample)" if facts.synthetic else ""


def text(scores: dict[str, Any]) -> str:
    """JSON in the order of the keys, floats rounded, NaN as null."""
    return json.dumps(_plain(scores), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def indices(table: pd.DataFrame, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Class indices of truth and prediction."""
    truth, prediction = (pd.Categorical(table[name], classes).codes.astype(int) for name in ("label", "predicted"))
    return truth, prediction


def _scores(table: pd.DataFrame, classes: list[str]) -> dict[str, float]:
    return {name: score(*indices(table, classes)) for name, score in SCORES.items()}


def _agreement(turns: pd.DataFrame, names: Sequence[str]) -> dict[str, float | int]:
    scores: dict[str, float | int] = {}
    for name, score in AGREEMENT.items():
        for target in names:
            pair = labelled(turns, target)
            scores[f"{name}_{target}"] = score(pair["truth"], pair["prediction"])
    return scores | {"turns": int(turns[list(names)].notna().all(axis=1).sum())}


def _over_folds(folds: Mapping[str, Mapping[str, float]], names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """mean and sd (n - 1) of the named scores over folds, then the folds themselves."""
    columns = {name: [fold[name] for fold in folds.values()] for name in names}
    return {
        "mean": {name: float(np.mean(values)) for name, values in columns.items()},
        "sd": {name: float(np.std(values, ddof=1)) if len(folds) > 1 else math.nan for name, values in columns.items()},
        **{fold: dict(values) for fold, values in folds.items()},
    }


def _training_means(results: Affect) -> dict[str, pd.Series]:
    """<target>_predicted of every test turn: the mean label of its model's training folds."""
    folds, means = results.facts.folds, {}
    for fold in folds:
        held_out = {str(fold), str(results.facts.validation_of(fold))}
        means[fold] = results.known.loc[~results.known["split"].isin(held_out), results.targets].mean()
    return {
        f"{t}_predicted": results.turns["fold"].map({fold: mean[t] for fold, mean in means.items()})
        for t in results.targets
    }
