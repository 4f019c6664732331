"""Emotions of recordings of one speaker, relative to that speaker (scoring/speaker_logits.py)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from avemotion.prediction.windows import Prediction, Window
from avemotion.scoring import speaker_logits
from avemotion.scoring.shares import log_shares
from avemotion.scoring.speaker_logits import How, Statistics

BALANCED = "mean_std holds only where the recordings show every emotion about equally often"


def statistics(predictions: Iterable[Prediction], classes: list[str], how: How) -> tuple[Statistics, list[str]]:
    """Statistics over all windows with an emotion, and what makes them poor, in words.

    Args:
        predictions: of recordings of one speaker.

    Raises:
        ValueError: no window has an emotion.
    """
    shares = [window.emotion for of in predictions for window in of.windows if window.emotion is not None]
    if not shares:
        raise ValueError("no recording of the speaker has an emotion; give recordings with sound or a face")
    named = [classes[int(of.argmax())] for of in shares]
    faults = [f"the speaker has {text.partition(':')[0]}" for text in speaker_logits.warnings([""] * len(named), named)]
    notes = [f"emotions are relative to the speaker's own {len(shares)} windows (speaker_statistics)"]
    notes += [f"{fault}: such emotions are of little use" for fault in faults]
    return speaker_logits.statistics(log_shares(shares), how), notes + ([BALANCED] if how == "mean_std" else [])


def relative(prediction: Prediction, of: Statistics) -> Prediction:
    """The prediction with every emotion relative to the statistics of its speaker."""
    return replace(prediction, windows=[_window(window, of) for window in prediction.windows])


def voice(embeddings: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """[1, S]: the mean of the speaker embeddings of several recordings; None where the models use none."""
    present = [embedding for embedding in embeddings if embedding is not None]
    return np.mean(present, axis=0) if present else None


def _window(window: Window, of: Statistics) -> Window:
    if window.emotion is None:
        return window
    logits = of.relative(log_shares(window.emotion[None]))
    return replace(window, emotion=softmax(logits, axis=1)[0])
