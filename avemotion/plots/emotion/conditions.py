"""Scores of the fusion model on test clips with noise or without a modality: conditions.csv and conditions.png."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.plots.common import canvas

COLUMNS = ["condition", "score", "value", "low", "high"]
SCORES = {"accuracy": "accuracy", "uar": "UAR"}
AS_IS = "as it is"


def save(folder: Path, test: Mapping[str, float], conditions: Mapping[str, Mapping[str, float]], subtitle: str) -> None:
    """test and conditions: sections `test` and `condition` of metrics/detail/emotion.json."""
    named = {AS_IS: test} | {label(name): scores for name, scores in ordered(conditions).items()}
    rows = [
        (name, shown, of[score], of[f"{score}_low"], of[f"{score}_high"])
        for score, shown in SCORES.items()
        for name, of in named.items()
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    canvas.table(folder / "conditions.csv", table, "no condition")
    noisy = sum(name.startswith("snr_") for name in conditions)
    with canvas.picture(folder / "conditions.png", 1.6 + 0.8 * len(named), 3.6) as figure:
        axis = figure.subplots()
        for k, (shown, part) in enumerate(table.groupby("score", sort=False)):
            at = np.arange(len(named)) + (k - 0.5) * 0.16
            colour = canvas.COLOURS[k]
            # A line through the SNRs only: a missing modality is no point on that axis.
            axis.plot(at[: noisy + 1], part.value[: noisy + 1], "-", color=colour, alpha=0.6)
            axis.vlines(at, part.low, part.high, color=colour, linewidth=1)
            axis.plot(at, part.value, "o", color=colour, markersize=5, label=shown)
        axis.set_xticks(range(len(named)), [name.replace(" alone", "\nalone") for name in named])
        axis.grid(axis="x", visible=False)
        axis.set_ylim(0, 1)
        axis.set_ylabel("score on the test clips")
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.set_title(subtitle)


def ordered(conditions: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """Conditions from the best SNR to the worst, then those without a modality."""
    names = sorted(conditions, key=lambda name: -_snr(name) if name.startswith("snr_") else np.inf)
    return {name: conditions[name] for name in names}


def label(condition: str) -> str:
    """snr_20 -> 20 dB, audio_only -> sound alone."""
    alone = {"audio_only": "sound alone", "video_only": "picture alone"}
    return alone[condition] if condition in alone else f"{_snr(condition):g} dB"


def _snr(condition: str) -> float:
    return float(condition.removeprefix("snr_").replace("_", "."))
