"""Scores of the emotion models with logits relative to the speaker (speaker_logits.py)."""

from typing import Any

import pandas as pd
from scipy.special import softmax

from avemotion.scoring import against_baseline, intervals, speaker_logits, summaries
from avemotion.scoring.results import Emotion
from avemotion.scoring.shares import log_shares
from avemotion.scoring.speaker_logits import How
from avemotion.system.seeds import seed_for


def scores(of: Emotion, how: How, draws: int, seed: int) -> dict[str, Any]:
    """Scores of the fusion model on test clips, with intervals, and of the unimodal models; {} if how is none.

    `gain` is the paired difference from the same model's predictions of single clips. `val` has the validation clips.
    `warnings` says which test speakers have too few clips or emotions.
    """
    if how == "none":
        return {}
    classes = of.facts.classes
    sums = summaries.emotion_sums(of.fusion, classes)
    relative = summaries.emotion_sums(table(of.fusion, classes, how), classes)
    key = seed_for(seed, "bootstrap", "emotion")
    bounds = intervals.bootstrap(relative, draws=draws, seed=key)
    test: dict[str, float] = {}
    for name, value in relative.estimate().items():
        test |= {name: value, f"{name}_low": bounds[name].low, f"{name}_high": bounds[name].high}

    def plain(rows: pd.DataFrame) -> dict[str, float]:
        return summaries.emotion_sums(table(rows, classes, how), classes).estimate()

    return {
        "logits": how,
        "speaker_statistics": True,
        "test": test,
        "gain": against_baseline.gain(relative, sums, draws, key),
        "audio": plain(of.audio),
        "video": plain(of.video),
        "val": plain(of.validation["fusion"]),
        "warnings": speaker_logits.warnings(of.fusion["speaker"].tolist(), of.fusion["label"].tolist()),
    }


def table(rows: pd.DataFrame, classes: list[str], how: How) -> pd.DataFrame:
    """rows with predictions and probabilities relative to the speaker, among the clips of the same model (fold).

    Args:
        rows: a result of results.classified.
    """
    if how == "none":
        return rows
    columns = [f"p_{name}" for name in classes]
    speakers = (rows["fold"] + " " + rows["speaker"]).tolist()
    logits = speaker_logits.normalised(log_shares(rows[columns]), speakers, how)
    shares = pd.DataFrame(softmax(logits, axis=1), rows.index, columns)
    return rows.assign(predicted=[classes[k] for k in logits.argmax(1)], **shares)
