"""Accuracy by confidence of the fusion model: calibration.csv and calibration.png."""

from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.plots.common import canvas

COLUMNS = ("low", "high", "confidence", "accuracy", "clips")


def save(folder: Path, bins: pd.DataFrame, subtitle: str) -> None:
    """bins: COLUMNS, one row per bin of confidence with test clips (reported_metrics.reliability)."""
    canvas.table(folder / "calibration.csv", bins[list(COLUMNS)], "no test clip")
    with canvas.picture(folder / "calibration.png", 4.8, 5.4) as figure:
        axis, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.2, 1]})
        axis.plot([0, 1], [0, 1], ":", color=canvas.GREY, label="perfectly calibrated")
        axis.vlines(bins.confidence, bins.confidence, bins.accuracy, color=canvas.VERMILION, alpha=0.5, linewidth=3)
        axis.plot(bins.confidence, bins.accuracy, "o-", color=canvas.BLUE, markersize=5, label="test clips")
        axis.set_ylim(-0.02, 1.02)
        axis.set_ylabel("accuracy of the bin")
        axis.legend(loc="upper left")
        axis.set_title(subtitle)
        below.bar(bins.low, bins.clips, (bins.high - bins.low) * 0.92, align="edge", color=canvas.SKY)
        below.set_ylabel("clips")
        below.set_xlabel("confidence: the largest class probability")
        below.set_xticks(np.linspace(0, 1, 6))
        below.set_xlim(-0.02, 1.02)
