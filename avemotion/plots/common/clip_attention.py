"""Attention over the steps of selected test clips, on one time axis in seconds.

Rows of attention_<direction>.csv, and pictures below the clip's frames and mel spectrogram. Weights are relative to
uniform ones (weight x number of steps), so that 1 means no preference for any length.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from avemotion.plots.common import canvas
from avemotion.system.seeds import seed_for

Array = NDArray[np.floating]
COLUMNS = ["clip", "rank", "label", "predicted", "time_s", "weight", "relative"]
RELATIVE = "relative weight\n(1 = uniform)"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A selected test clip."""

    id: str
    rank: str  # best, median, worst or a percentage
    label: str
    predicted: str
    attention: dict[str, Array]  # of results.attention; {} if the model has none
    frames: NDArray[np.uint8]  # [N, H, W, 3]; N may be 0
    frame_times: Array  # [N] seconds
    mel: Array  # [T, M] dB, one row every hop seconds; T may be 0
    mel_start: float  # seconds, of its first row
    peaks: Array  # [P, 2], the lowest and highest sample of each hop
    hop: float  # seconds

    @property
    def end(self) -> float:
        """End of the time axis in seconds."""
        ends = [self.mel_start + len(self.mel) * self.hop, len(self.peaks) * self.hop]
        return float(max(ends + [times[-1] for times in self._times() if len(times)])) or 1.0

    def _times(self) -> list[Array]:
        return [self.frame_times, *(self.attention[name] for name in self.attention if name.endswith("times"))]


def choose(error: pd.Series, count: int, seed: int) -> dict[str, str]:
    """Clip ids evenly spaced from the lowest to the highest error: id -> rank.

    Args:
        error: by clip id.
        seed: orders clips of equal error, by clip id, so that neither their order nor other clips change the selection.
    """
    ties = {clip: seed_for(seed, "choose", clip) for clip in error.index}
    order = sorted(error.index, key=lambda clip: (error[clip], ties[clip]))
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    names = {0.0: "best", 0.5: "median", 1.0: "worst"}
    shares = [round(place / max(len(order) - 1, 1), 3) for place in places]
    return {order[round(place)]: names.get(share, f"{share:.0%}") for place, share in zip(places, shares, strict=True)}


def has(clip: Shown, name: str) -> bool:
    return name in clip.attention and clip.attention[name].size > 0


def rows(clip: Shown, weights: Array, times: Array) -> pd.DataFrame:
    """Rows of a CSV: weights [T] at times [T]."""
    facts = {"clip": clip.id, "rank": clip.rank, "label": clip.label, "predicted": clip.predicted}
    return pd.DataFrame(facts | {"time_s": times, "weight": weights, "relative": weights * len(weights)})


def joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def waveform(axis: Axes, clip: Shown) -> None:
    axis.grid(False)
    axis.set_yticks([])
    axis.set_xlim(0, clip.end)
    if not len(clip.peaks):
        note(axis, "no sound")
        return
    lowest, highest = clip.peaks.T.astype(np.float32)
    axis.fill_between((np.arange(len(lowest)) + 0.5) * clip.hop, lowest, highest, color=canvas.GREY, linewidth=0.3)
    reach = float(np.abs(clip.peaks).max())
    axis.set_ylim(-reach or -1, reach or 1)


def mel(axis: Axes, clip: Shown) -> None:
    axis.grid(False)
    if not len(clip.mel):
        note(axis, "no sound")
        return
    extent = (clip.mel_start, clip.mel_start + len(clip.mel) * clip.hop, 0, clip.mel.shape[1])
    mel = clip.mel.T.astype(np.float32)
    axis.imshow(mel, origin="lower", extent=extent, aspect="auto", cmap="magma", interpolation="nearest")
    axis.set_xlim(0, clip.end)


def finish(axis: Axes, clip: Shown) -> None:
    axis.axhline(1, color=canvas.GREY, linewidth=0.8, linestyle=":")
    axis.set_xlim(0, clip.end)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("time in s")


def note(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=canvas.GREY)
    axis.set_yticks([])
