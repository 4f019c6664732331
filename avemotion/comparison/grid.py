"""The table of an ablation: one row per setting of the varied params, with scores over its seeds."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from avemotion.comparison import paired
from avemotion.comparison.paired import Judged
from avemotion.comparison.runs import DEALS, Run
from avemotion.scoring import intervals
from avemotion.scoring.results import On

# Sections that a unimodal model does not depend on: runs that differ only in these have the same model.
UNREAD = {
    "pretrain_audio": ("fusion", "xattn", "va", "pretrain_video"),
    "pretrain_video": ("fusion", "xattn", "va", "pretrain_audio", "audio", "speech"),
    "fusion": (),
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One score of a setting: mean and sd (NaN for one run) over runs, and the 95 % interval of the mean over clips.

    sd_seeds, sd_splits: the parts of sd that come from seeds and from assignments of speakers to folds (NaN: unknown).
    difference and p: comparison with the baseline; None without a baseline.
    """

    mean: float
    sd: float
    sd_seeds: float
    sd_splits: float
    low: float
    high: float
    difference: float | None = None
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting."""

    setting: dict[str, str]  # model, then the varied params that the model reads
    seeds: tuple[int | None, ...]
    splits: tuple[tuple[int, ...], ...]  # assignments of speakers to folds
    runs: int
    cells: dict[str, Cell]  # by headline


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rows sorted by setting, failed runs, and notes for the reader."""

    columns: list[str]  # model and the varied params
    rows: list[Row]
    failed: list[Run]
    notes: list[str]
    synthetic: bool  # some run was tested on the synthetic sample
    on: On  # the rows that were scored


def build(runs: Sequence[Run], by: Sequence[str], baseline: Mapping[str, str] | None, draws: int, seed: int) -> Grid:
    """Group runs by model and params, score each group and compare it with the baseline's.

    Args:
        by: names of params; every other param must be the same in all finished runs of a row.
        baseline: param -> value of the setting to compare with; its model is "fusion" unless it names another one.

    Raises:
        ValueError: no run has finished, runs of a row differ in other params, or the baseline is not one row.
    """
    notes: list[str] = []
    finished = [run for run in runs if run.models]
    if not finished:
        reason = next((f" ({run.name}: {run.fault})" for run in runs if run.fault), "")
        raise ValueError(
            f"no finished run{reason}; see `dvc queue status` and `dvc exp show`, or name folders with --folders"
        )
    groups = _grouped(finished, by)
    settings = {key: _replicates(key, group, notes) for key, group in groups.items()}
    reference = None if baseline is None else settings[_find(list(settings), {"model": "fusion"} | dict(baseline))]
    rows = []
    for key, replicates in settings.items():
        cells = _cells(replicates, draws, seed)
        if reference is not None and replicates is not reference:
            try:
                differences = paired.differences(list(reference.values()), list(replicates.values()), draws, seed)
            except ValueError as error:
                notes.append(f"{_label(dict(key))} is not compared with the baseline: {error}")
                differences = {}
            cells |= {
                name: Cell(**vars(cells[name]) | {"difference": d.difference, "p": d.p})
                for name, d in differences.items()
            }
        seeds, splits = (tuple(dict.fromkeys(of)) for of in zip(*replicates, strict=True))
        rows.append(Row(setting=dict(key), seeds=seeds, splits=splits, runs=len(replicates), cells=cells))
    return Grid(
        columns=["model", *by],
        rows=rows,
        failed=sorted((run for run in runs if run.fault), key=lambda run: _place(run, by)),
        notes=notes,
        synthetic=any(judged.synthetic for of in settings.values() for judged in of.values()),
        on=next(judged.on for of in settings.values() for judged in of.values()),
    )


def _place(run: Run, by: Sequence[str]) -> tuple:
    """The sorting key of a run without results: setting, then seed. Runs with unknown params come first."""
    return [run.params.get(name, "") for name in by], -1 if run.seed is None else run.seed, run.name


Key = tuple[tuple[str, str], ...]
Replicates = dict[tuple[int | None, tuple[int, ...]], Judged]  # (seed, assignment of speakers to folds) -> model


def _grouped(runs: Sequence[Run], by: Sequence[str]) -> dict[Key, list[tuple[Run, Judged]]]:
    """Runs with one of their models each, by setting."""
    groups: dict[Key, list[tuple[Run, Judged]]] = {}
    for model in sorted(UNREAD):
        for run in runs:
            if model in run.models:
                read = [name for name in by if name.split(".")[0] not in UNREAD[model]]
                key = (("model", model), *((name, run.params.get(name, "")) for name in read))
                groups.setdefault(key, []).append((run, run.models[model]))
    for key, group in groups.items():
        _check_one_setting(key, [run for run, _ in group], UNREAD[dict(key)["model"]])
    # In the order pretrain_audio, pretrain_video, fusion.
    order = list(UNREAD)
    return dict(sorted(groups.items(), key=lambda item: (order.index(item[0][0][1]), _natural(item[0]))))


def _check_one_setting(key: Key, runs: list[Run], unread: tuple[str, ...]) -> None:
    for run in runs[1:]:
        names = (run.params.keys() | runs[0].params.keys()) - DEALS.keys()
        differing = {name for name in names if run.params.get(name) != runs[0].params.get(name)}
        if others := sorted(name for name in differing if name.split(".")[0] not in unread):
            raise ValueError(
                f"{runs[0].name} and {run.name} are both {_label(dict(key))} but differ in {', '.join(others)}; "
                f"add it to --by, or leave --by out to find what differs"
            )


def _replicates(key: Key, group: list[tuple[Run, Judged]], notes: list[str]) -> Replicates:
    """One model per seed and split, sorted. A second one with other predictions is left out, with a note."""
    replicates: Replicates = {}
    for run, judged in sorted(group, key=lambda pair: (pair[0].split, str(pair[0].seed).zfill(9), pair[0].name)):
        first = replicates.setdefault((run.seed, run.split), judged)
        if first.headlines() != judged.headlines():
            notes.append(
                f"{_label(dict(key))}, seed {run.seed}: {judged.name} gave other predictions than {first.name} "
                "and is left out"
            )
    without = [judged.name for judged in replicates.values() if judged.affect is None]
    if 0 < len(without) < len(replicates):
        notes.append(f"{_label(dict(key))}: no valence and arousal, for {', '.join(without)} lacks data/models/va")
    return replicates


def _cells(replicates: Replicates, draws: int, seed: int) -> dict[str, Cell]:
    setting = list(replicates.values())
    for judged in setting[1:]:
        paired.check_same_rows(setting[0], judged)
    drawn = paired.draw(setting, draws, seed)
    scores = pd.DataFrame([judged.headlines() for judged in setting])
    splits = [split for _, split in replicates]
    cells = {}
    for name, (mean, sd) in paired.mean_scores(setting).items():
        low, high = intervals.bounds(drawn[name])
        of_seeds, of_splits = components(scores[name].to_numpy(), splits)
        cells[name] = Cell(mean=mean, sd=sd, sd_seeds=of_seeds, sd_splits=of_splits, low=low, high=high)
    return cells


def components(scores: NDArray[np.float64], splits: Sequence[Hashable]) -> tuple[float, float]:
    """Standard deviations of seeds and of splits: a one-way model with random effects (Searle et al. 1992, ch. 3).

    The variance of seeds is the mean variance within a split. The variance of splits is that between the means of the
    splits, less the share of it that seeds explain; 0 where seeds explain all of it.

    Args:
        scores: [R], one a run.
        splits: [R], the split of each run.

    Returns:
        NaN for the seeds if no split has two runs; NaN for the splits if there is only one, or if the variance of
        seeds is unknown.
    """
    groups = [values.to_numpy() for _, values in pd.Series(scores).groupby(pd.factorize(pd.Series(splits))[0])]
    runs, sizes = len(scores), np.array([len(group) for group in groups])
    if runs == len(groups):
        return float("nan"), float("nan")
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (runs - len(groups))
    if len(groups) < 2:
        return float(np.sqrt(within)), float("nan")
    means = np.array([group.mean() for group in groups])
    between = (sizes * (means - np.mean(scores)) ** 2).sum() / (len(groups) - 1)
    per_split = (runs - (sizes**2).sum() / runs) / (len(groups) - 1)  # runs a split, if all have the same number
    return float(np.sqrt(within)), float(np.sqrt(max(0.0, (between - within) / per_split)))


def _find(keys: list[Key], wanted: Mapping[str, str]) -> Key:
    fits = [key for key in keys if wanted.items() <= dict(key).items()]
    if len(fits) != 1:
        there = "; ".join(_label(dict(key)) for key in keys)
        raise ValueError(f"the baseline {_label(wanted)} fits {len(fits)} settings, not one; there are: {there}")
    return fits[0]


def _label(setting: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in setting.items())


def _natural(key: Key) -> list[tuple[bool, float, str]]:
    """A sorting key: numbers by size, before words."""

    def rank(value: str) -> tuple[bool, float, str]:
        try:
            return (False, float(value), value)
        except ValueError:
            return (True, 0.0, value)

    return [rank(value) for _, value in key]
