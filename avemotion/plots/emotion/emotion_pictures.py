"""All tables and pictures of plots/emotion: results of the fusion model on the test clips."""

from pathlib import Path
from typing import Any

import pandas as pd

from avemotion.params.evaluate import Config
from avemotion.plots.common import clip_attention, shown_clips
from avemotion.plots.emotion import calibration, conditions, confusion_matrix, emotion_attention, gates
from avemotion.scoring import metrics, reported_metrics, results, still_scores, summaries
from avemotion.scoring.results import Emotion


def save(folder: Path, emotion: Emotion, scores: dict[str, Any], config: Config) -> None:
    """Write confusion matrix, calibration, gates, conditions, attention in some clips, and confusion of stills.

    Args:
        scores: content of metrics/detail/emotion.json.
    """
    test, classes, note = emotion.fusion, emotion.facts.classes, summaries.synthetic_note(emotion.facts)
    truth, prediction = summaries.indices(test, classes)
    confusion_matrix.save(
        folder, test, classes, f"{len(test)} test clips, UAR {metrics.uar(truth, prediction):.3f}{note}"
    )
    if (faces := still_scores.read()) is not None:
        title = f"{len(faces.test)} test pictures, UAR {scores['faces']['test']['uar']:.3f}"
        confusion_matrix.save(folder, faces.test, faces.facts.classes, title, "stills_confusion", "pictures")
    gates.save(folder, emotion.gates, classes)
    probabilities = test[[f"p_{name}" for name in classes]].to_numpy()
    error = reported_metrics.calibration_error(truth, probabilities)
    title = f"{len(test)} test clips, expected calibration error {error:.3f}{note}"
    calibration.save(folder, reported_metrics.reliability(truth, probabilities), title)
    conditions.save(folder, scores["test"], scores["condition"], f"Test clips in noise and without a modality{note}")
    emotion_attention.save(folder, chosen_clips(emotion, config))


def chosen_clips(emotion: Emotion, config: Config) -> list[clip_attention.Shown]:
    """Some test clips, from the best to the worst prediction."""
    exports = results.attention_of_stage("fusion", emotion.facts.folds)
    rows = emotion.fusion.set_index("id")
    own = pd.Series({clip: row[f"p_{row['label']}"] for clip, row in rows.iterrows()})
    shown = []
    for clip, rank in clip_attention.choose(1 - own, config.evaluate.clips, config.seed).items():
        row = rows.loc[clip]
        predicted = f"{row['predicted']} ({row['p_' + row['predicted']]:.0%})"
        words = shown_clips.Words(rank=rank, label=row["label"], predicted=predicted)
        shown.append(shown_clips.with_media("emotion", clip, words, exports.get(clip, {}), frames=True))
    return shown
