"""Groups of values as dots, side by side."""

import numpy as np
from matplotlib.axes import Axes

from avemotion.plots.common import canvas


def strips(axis: Axes, groups: list[np.ndarray], colours: list[str], note: str) -> None:
    """Draw every value as a dot, and the mean of each group as a bar."""
    for k, (values, colour) in enumerate(zip(groups, colours, strict=True)):
        if len(values):
            # Multiples of the golden ratio are evenly spread for any number of values, and not random.
            spread = (np.arange(len(values)) * 0.618034 % 1 - 0.5) * 0.5
            axis.scatter(k + spread, np.sort(values), s=12, color=colour, alpha=0.6, linewidths=0)
            axis.hlines(values.mean(), k - 0.33, k + 0.33, color="black", linewidth=2)
    if not any(map(len, groups)):
        axis.text(0.5, 0.62, note, transform=axis.transAxes, ha="center", va="center", color=canvas.GREY)
    axis.axhline(0.5, color=canvas.GREY, linewidth=0.8, linestyle=":")
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlim(-0.6, len(groups) - 0.4)
    axis.grid(axis="x", visible=False)
