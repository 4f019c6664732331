"""Style, colours and files of all pictures and plot tables; the same data gives the same bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from avemotion.system import tables

# Okabe and Ito 2008: distinguishable with any colour vision.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"),
)
GREY = "#7A7A7A"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
DPI = 120
STYLE = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}


@contextmanager
def picture(file: Path, width: float, height: float) -> Iterator[Figure]:
    """Yields a figure of width x height inches and writes it to file (PNG) when the block ends."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change committed pictures
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
    # A palette of 256 colours: git gets a third of the bytes, without a visible difference. The palette is selected by
    # coverage, not by count (median cut), so that the rare colours of a colour bar stay as they are.
    with Image.open(drawn) as whole:
        palette = whole.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette.save(file, optimize=True)


def table(file: Path, rows: pd.DataFrame, note: str) -> None:
    """Write the CSV of a plot, floats with 6 significant digits.

    `dvc plots` needs at least one row. A table without rows therefore gets one with note in its first column and empty
    cells in the others; its plot is empty and shows the note.
    """
    if rows.empty:
        rows = pd.DataFrame([[note, *[None] * (len(rows.columns) - 1)]], columns=rows.columns)
    text = rows.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    tables.write_text(file, text)
