"""Emotion logits relative to the speaker: minus their mean over the speaker's own clips, without any label.

It removes what a model reads from the voice or face of a speaker whatever the emotion. It uses a test speaker's other
clips, so such scores say `speaker_statistics: true` and hold for a speaker of whom several recordings are at hand.
`mean` is of use from about five clips of four emotions. `mean_std` also divides by the deviation and holds only where a
speaker shows every emotion about equally often, as in acted corpora; elsewhere it is worse than none.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
How = Literal["none", "mean", "mean_std"]
CLIPS, EMOTIONS = 5, 4  # of a speaker, below which the statistics are poor


class Statistics(NamedTuple):
    """Of one speaker's logits, each row of which has lost its mean over classes."""

    mean: Floats  # [C]
    deviation: Floats  # [C]; 1 where the mean alone is subtracted

    def relative(self, logits: ArrayLike) -> Floats:
        """Logits [R, C] of this speaker relative to the statistics."""
        return (_centred(logits) - self.mean) / self.deviation


def statistics(logits: ArrayLike, how: How) -> Statistics:
    """Mean and, for mean_std, standard deviation (n) of the logits [R, C] of one speaker.

    A class that does not vary is divided by 1. Nothing is subtracted where there is only one row.
    """
    rows = _centred(logits)
    none = Statistics(np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
    if how == "none" or len(rows) < 2:
        return none
    return Statistics(rows.mean(0), _deviation(rows) if how == "mean_std" else none.deviation)


def normalised(logits: ArrayLike, speakers: Sequence[str], how: How) -> Floats:
    """Logits [R, C] relative to the statistics of all rows of the same speaker.

    Each row first loses its mean over classes, which keeps its softmax. Logits and log-probabilities then give the same
    result.

    Args:
        logits: [R, C], finite. speakers: [R]; rows of one speaker by different models are different speakers here.

    Raises:
        ValueError: other than one speaker a row.
    """
    result = _centred(logits)
    names, index = np.unique(np.asarray(speakers, str), return_inverse=True)
    if len(index) != len(result):
        raise ValueError(f"logits have {len(result)} rows, speakers {len(index)}; give one speaker a row")
    for speaker in range(len(names)):
        own = result[index == speaker]
        result[index == speaker] = statistics(own, how).relative(own)
    return result


def warnings(speakers: Sequence[str], emotions: Sequence[str]) -> list[str]:
    """What makes the statistics of speakers poor, in words; [] = nothing.

    Args:
        speakers: [R]. emotions: [R], true or predicted.
    """
    own = pd.DataFrame({"speaker": speakers, "emotion": emotions}).groupby("speaker")["emotion"]
    clips, kinds = own.size(), own.nunique()
    poor = [f"fewer than {CLIPS} clips: {_named(clips, CLIPS)}"] if (clips < CLIPS).any() else []
    return poor + ([f"fewer than {EMOTIONS} emotions: {_named(kinds, EMOTIONS)}"] if (kinds < EMOTIONS).any() else [])


def _named(counts: pd.Series, least: int) -> str:
    few = counts[counts < least]
    some = ", ".join(f"{name} ({count})" for name, count in few.head(3).items())
    return some if len(few) <= 3 else f"{some} and {len(few) - 3} others"


def _centred(logits: ArrayLike) -> Floats:
    values = np.asarray(logits, np.float64)
    return values - values.mean(1, keepdims=True)


def _deviation(rows: Floats) -> Floats:
    spread, size = rows.std(0), np.abs(rows).max(0)
    return np.where(spread > 1e-7 * size, spread, 1.0)  # not the rounding of a constant
