"""Intervals of scores: of clips with speakers, or of single clips that belong to nobody, such as pictures."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from avemotion.scoring import intervals, summaries
from avemotion.scoring.intervals import Interval
from avemotion.system.seeds import seed_for


def resampled(table: pd.DataFrame) -> Literal["speakers", "clips"]:
    """What the intervals resample: speakers, or clips where each of them has a speaker of its own."""
    return "speakers" if table["speaker"].nunique() < len(table) else "clips"


def bounds(table: pd.DataFrame, classes: Sequence[str], draws: int, seed: int) -> dict[str, Interval]:
    """95 % percentile intervals of accuracy, UAR and macro-F1 by bootstrap.

    Clips that are drawn one by one fill the cells of the confusion matrix as a multinomial does. It takes no memory for
    each clip of each draw, and a corpus of pictures has tens of thousands of them.

    Args:
        table: label, predicted and speaker of R clips.
    """
    sums, key = summaries.emotion_sums(table, list(classes)), seed_for(seed, "bootstrap", "emotion")
    if resampled(table) == "speakers" or len(table) < 2:
        return intervals.bootstrap(sums, draws=draws, seed=key)
    cells = sums.values.sum(0)
    drawn = np.random.default_rng(key).multinomial(len(table), cells / cells.sum(), draws)
    return {name: intervals.bounds(values) for name, values in sums.scores(drawn.astype(float)).items()}
