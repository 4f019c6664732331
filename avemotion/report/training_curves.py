"""Training curves of all stages and folds: training.csv and training.png."""

from pathlib import Path

import pandas as pd

from avemotion.plots.common import canvas
from avemotion.training.common import live_curves

SCORES = {"pretrain_audio": "macro-F1", "pretrain_video": "macro-F1", "fusion": "macro-F1", "va": "mean CCC"}


def save(folder: Path, histories: pd.DataFrame) -> None:
    """histories: stage, fold, phase, epoch, train_loss, val_loss, val_score (results.histories)."""
    canvas.table(folder / "training.csv", live_curves.as_curves(histories), "nothing was trained")
    stages = histories.groupby("stage", sort=False)
    with canvas.picture(folder / "training.png", 3.1 * len(stages), 5.2) as figure:
        axes = figure.subplots(2, len(stages), squeeze=False, sharex="col")
        for (loss, score), (stage, history) in zip(axes.T, stages, strict=True):
            _draw(loss, score, stage, history)
        axes[0, 0].set_ylabel("loss")
        axes[0, 0].legend(loc="best", fontsize=8)


def _draw(loss, score, stage: str, history: pd.DataFrame) -> None:
    runs = list(history.groupby("fold", sort=False))
    for k, (fold, run) in enumerate(runs):
        colour = canvas.COLOURS[k % len(canvas.COLOURS)]
        first = k == 0
        loss.plot(run.epoch, run.train_loss, "--", color=colour, label="training" if first else None, alpha=0.8)
        loss.plot(run.epoch, run.val_loss, "-", color=colour, label="validation" if first else None)
        score.plot(run.epoch, run.val_score, "-", color=colour, label=f"fold {fold}" if fold else None)
        best = run.loc[run.val_score.idxmax()] if run.val_score.notna().any() else None
        if best is not None:
            score.plot(best.epoch, best.val_score, "o", color=colour, markersize=5, label=None if fold else "best")
        if first:
            # Phases of the first run only, because folds may stop early at different epochs.
            for epoch in run.epoch[run.phase != run.phase.shift()].iloc[1:]:
                for axis, label in ((loss, "next phase"), (score, None)):
                    axis.axvline(epoch - 0.5, color=canvas.GREY, linewidth=0.8, linestyle=":", label=label)
    loss.set_title(f"{stage} ({len(runs)} folds)" if len(runs) > 1 else stage)
    score.set_ylabel(f"validation {SCORES.get(stage, 'score')}")
    score.set_xlabel("epoch")
    score.xaxis.get_major_locator().set_params(integer=True)
    if score.get_legend_handles_labels()[1]:
        score.legend(loc="lower right", fontsize=7.5, ncols=2 if len(runs) > 3 else 1)
