"""Attention of all test clips together: profiles.csv/png over relative time, entropy.csv/png of its spread.

A clip's pooled attention is the mean over its queries: one weight per step, with sum 1.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from avemotion.plots.common import canvas
from avemotion.plots.common.strips import strips

NO_ATTENTION = "no attention in these models"
UNLABELLED = "no emotion given"
BINS = 20  # of relative time
KINDS = {
    "video_to_audio": "video→audio: which sound",
    "audio_to_video": "audio→video: which frames",
    "prosody_to_speech": "prosody→speech: which sound",
}
PROFILE = ["attention", "label", "relative_time", "relative", "clips"]
ENTROPY = ["attention", "label", "clip", "entropy"]


def pool(exports: Mapping[str, Mapping[str, NDArray]], labels: pd.Series, classes: list[str]) -> pd.DataFrame:
    """Every clip's attention, by kind in the order of KINDS and by emotion in the order of classes.

    Args:
        exports: clip -> name -> weights [queries, steps] or [steps] (results.attention).
        labels: emotion by clip; None counts as a separate emotion, the last one.

    Returns:
        attention (of KINDS), label, clip, weights [steps].
    """
    rows = []
    labels = labels.where(labels.notna(), UNLABELLED)
    places = {name: place for place, name in enumerate([*classes, UNLABELLED])}
    ordered = sorted(exports.items(), key=lambda item: (places[labels[item[0]]], item[0]))
    for kind in KINDS:
        for clip, maps in ordered:
            if kind in maps and maps[kind].size:
                weights = np.atleast_2d(maps[kind]).mean(0)
                rows.append({"attention": kind, "label": labels[clip], "clip": clip, "weights": weights})
    return pd.DataFrame(rows, columns=["attention", "label", "clip", "weights"])


def entropy(weights: NDArray) -> float:
    """Entropy of weights [steps] as a share of the highest, log(steps): 1 = uniform, 0 = one step; NaN for one step."""
    if len(weights) < 2:
        return float("nan")
    positive = weights[weights > 0].astype(np.float64)
    return float(-(positive * np.log(positive)).sum() / np.log(len(weights)))


def profile(weights: NDArray) -> NDArray:
    """Weights [steps], relative to uniform ones, of BINS equal parts of the clip [BINS]; their mean is 1.

    A step in two parts counts in both, by its share.
    """
    total = np.concatenate([[0.0], np.cumsum(weights, dtype=np.float64)])
    ends = np.linspace(0, 1, BINS + 1)
    return np.diff(np.interp(ends, np.linspace(0, 1, len(total)), total)) * BINS


def save(folder: Path, pooled: pd.DataFrame) -> None:
    """Write tables and pictures; pooled: rows of `pool` for all models. Without rows, both pictures show a note."""
    profiles = [
        pd.DataFrame(
            {
                "attention": kind,
                "label": label,
                "relative_time": (np.arange(BINS) + 0.5) / BINS,
                "relative": np.mean([profile(weights) for weights in part["weights"]], axis=0),
                "clips": len(part),
            }
        )
        for (kind, label), part in pooled.groupby(["attention", "label"], sort=False)
    ]
    curves = pd.concat(profiles, ignore_index=True) if profiles else pd.DataFrame(columns=PROFILE)
    canvas.table(folder / "profiles.csv", curves, NO_ATTENTION)
    spread = pooled.assign(entropy=[entropy(weights) for weights in pooled["weights"]])[ENTROPY]
    grouped = spread.groupby(["attention", "label"], sort=False)["entropy"]
    # One row per group instead of one per clip: a corpus may have ten thousand clips.
    summary = pd.DataFrame({"entropy": grouped.mean(), "low": grouped.quantile(0.1), "high": grouped.quantile(0.9)})
    summary = summary.reset_index().rename(columns={"attention": "target"})
    canvas.table(folder / "entropy.csv", summary, NO_ATTENTION)
    kinds = [kind for kind in KINDS if (pooled["attention"] == kind).any()] or list(KINDS)[:1]
    _draw_profiles(folder / "profiles.png", curves, kinds)
    _draw_entropy(folder / "entropy.png", spread, kinds)


def _draw_profiles(file: Path, curves: pd.DataFrame, kinds: list[str]) -> None:
    with canvas.picture(file, 0.8 + 4.2 * len(kinds), 4.2) as figure:
        axes = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
        for axis, kind in zip(axes, kinds, strict=True):
            part = curves[curves["attention"] == kind]
            for i, (label, curve) in enumerate(part.groupby("label", sort=False)):
                # Twelve distinguishable lines: each colour once solid and once dashed.
                style = {"color": canvas.COLOURS[i % len(canvas.COLOURS)]}
                dash = "-" if i < len(canvas.COLOURS) else "--"
                name = f"{label} ({curve['clips'].iloc[0]})"
                axis.plot(100 * curve["relative_time"].astype(float), curve["relative"], dash, label=name, **style)
            axis.axhline(1, color=canvas.GREY, linewidth=0.8, linestyle=":")
            axis.set_title(f"{KINDS[kind]}, mean of the test clips")
            axis.set_xlabel("time in % of the clip")
            axis.set_xlim(0, 100)
            if len(part):
                axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=7.5)
            else:
                axis.text(0.5, 0.5, NO_ATTENTION, transform=axis.transAxes, ha="center", color=canvas.GREY)
        axes[0].set_ylabel("relative weight (1 = uniform)")


def _draw_entropy(file: Path, spread: pd.DataFrame, kinds: list[str]) -> None:
    labels = {kind: list(dict.fromkeys(spread["label"][spread["attention"] == kind])) for kind in kinds}
    with canvas.picture(file, 1.2 + sum(0.47 * max(len(names), 3) for names in labels.values()), 3.6) as figure:
        widths = [max(len(names), 3) for names in labels.values()]
        axes = figure.subplots(1, len(kinds), squeeze=False, sharey=True, gridspec_kw={"width_ratios": widths})[0]
        for axis, (kind, names) in zip(axes, labels.items(), strict=True):
            part = spread[spread["attention"] == kind]
            groups = [part["entropy"][part["label"] == name].dropna().to_numpy(float) for name in names]
            strips(axis, groups, [canvas.BLUE] * len(groups), NO_ATTENTION)
            axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
            axis.set_title(KINDS[kind])
        low = min([float(spread["entropy"].min())] if spread["entropy"].notna().any() else [0.0])
        axes[0].set_ylim(max(0.0, low - 0.05), 1.01)
        axes[0].set_ylabel("entropy of the attention\n(1 = uniform, 0 = one step)")
