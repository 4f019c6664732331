"""True and predicted turns in the plane of valence and arousal: plane.csv and plane.png."""

from pathlib import Path

import pandas as pd

from avemotion.plots.common import canvas

COLUMNS = ["id", "fold", "valence", "arousal", "valence_predicted", "arousal_predicted"]


def save(folder: Path, turns: pd.DataFrame, shown: pd.DataFrame, scale: dict[str, list[int]], subtitle: str) -> None:
    """Write plane.csv and plane.png.

    Args:
        turns: all test turns with a label of each target. shown: those with an arrow. The plane stays empty where the
            models predict only one of its axes.
        scale: lowest and highest rating of valence and arousal.
    """
    turns, shown = (rows.reindex(columns=COLUMNS).dropna() for rows in (turns, shown))
    canvas.table(folder / "plane.csv", shown, "no turn has both labels")
    with canvas.picture(folder / "plane.png", 7.8, 6.2) as figure:
        axis = figure.subplots()
        axis.scatter(
            turns.valence, turns.arousal, s=7, color=canvas.GREY, alpha=0.4, linewidths=0, label="true, without arrow"
        )
        _arrows(axis, shown)
        axis.scatter(shown.valence, shown.arousal, s=22, color=canvas.BLUE, label="true", zorder=3)
        at = (shown.valence_predicted, shown.arousal_predicted)
        axis.scatter(*at, s=24, color=canvas.VERMILION, marker="^", label="predicted", zorder=3)
        # At least the whole scale; matplotlib widens it for predictions outside of it.
        axis.update_datalim(list(zip(scale["valence"], scale["arousal"], strict=True)))
        axis.autoscale_view()
        middle = {name: sum(scale[name]) / 2 for name in ("valence", "arousal")}
        axis.axvline(middle["valence"], color=canvas.GREY, linewidth=0.8, zorder=0)
        axis.axhline(middle["arousal"], color=canvas.GREY, linewidth=0.8, zorder=0)
        axis.set_xlabel(f"valence ({scale['valence'][0]} negative to {scale['valence'][1]} positive)")
        axis.set_ylabel(f"arousal ({scale['arousal'][0]} calm to {scale['arousal'][1]} excited)")
        axis.set_aspect("equal", adjustable="datalim")
        figure.legend(loc="outside right upper")
        axis.set_title(subtitle)


def _arrows(axis, shown: pd.DataFrame) -> None:
    axis.quiver(
        shown.valence,
        shown.arousal,
        shown.valence_predicted - shown.valence,
        shown.arousal_predicted - shown.arousal,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0022,
        headwidth=5,
        color="#444444",
        alpha=0.45,
        zorder=2,
    )
