"""Emotion logits relative to the speaker: minus their mean over the speaker's own clips, without any label.

It removes what a model reads from the voice or face of a speaker whatever the emotion. It uses a test speaker's other
clips, so such scores say `speaker_statistics: true` and hold for a speaker of whom several recordings are at hand.
`mean` is of use from about five clips of four emotions. `mean_std` also divides by the deviation and holds only where a
speaker shows every emotion about equally often, as in acted corpora; elsewhere it is worse than none.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
How = Literal["none", "mean", "mean_std"]
LEAST = 5e-7  # a share that predictions.csv, with its six decimals, writes as 0
CLIPS, EMOTIONS = 5, 4  # of a speaker, below which the statistics are poor


def normalised(logits: ArrayLike, speakers: Sequence[str], how: How) -> Floats:
    """Logits [R, C] minus their mean over the rows of the same speaker; mean_std: also over their deviation (n).

    Each row first loses its mean over classes, which keeps its softmax. Logits and log-probabilities then give
    the same result. A class that does not vary within a speaker is divided by 1. A speaker's only row stays as it is.

    Args:
        logits: [R, C], finite. speakers: [R]; rows of one speaker by different models are different speakers here.

    Raises:
        ValueError: other than one speaker a row.
    """
    result = np.array(logits, np.float64)
    names, index = np.unique(np.asarray(speakers, str), return_inverse=True)
    if len(index) != len(result):
        raise ValueError(f"logits have {len(result)} rows, speakers {len(index)}; give one speaker a row")
    if how == "none":
        return result
    result -= result.mean(1, keepdims=True)
    for speaker in range(len(names)):
        rows = index == speaker
        own = result[rows]
        if len(own) > 1:
            result[rows] = (own - own.mean(0)) / (_deviation(own) if how == "mean_std" else 1.0)
    return result


def log_shares(shares: ArrayLike) -> Floats:
    """Logarithms of probabilities [R, C], of at least LEAST: logits up to one constant a row."""
    return np.log(np.maximum(np.asarray(shares, np.float64), LEAST))


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


def _deviation(rows: Floats) -> Floats:
    spread, size = rows.std(0), np.abs(rows).max(0)
    return np.where(spread > 1e-7 * size, spread, 1.0)  # not the rounding of a constant
