"""Ensembles of saved predictions: the weighted mean of probabilities, and of valence and arousal, of several models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from avemotion.comparison import paired
from avemotion.comparison.paired import Difference, Judged
from avemotion.formats import targets
from avemotion.scoring import intervals, speaker_normalised, summaries
from avemotion.scoring.intervals import Interval
from avemotion.scoring.speaker_logits import How


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One member, or the ensemble: its headlines with intervals, and what the ensemble gains over it (paired)."""

    name: str
    weight: float | None  # share in the mean; None = the ensemble itself
    scores: dict[str, tuple[float, Interval]]
    gains: dict[str, Difference]  # {} for the ensemble itself


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """All scores of an ensemble."""

    judged: Judged
    rows: list[Scored]  # the members, then the ensemble
    over_mean: dict[str, Difference]  # the ensemble - the mean score of its trained members


def build(members: Sequence[Judged], weights: Sequence[float], trained: int, draws: int, seed: int) -> Ensemble:
    """Average the members, score everything, and compare the ensemble with each member on the same drawn clusters.

    Args:
        weights: one a member, above 0; they are scaled to sum to 1.
        trained: the first so many members are models whose mean score `over_mean` compares with; the baseline is not.

    Raises:
        ValueError: fewer than two members, or they have other rows or labels.
    """
    if len(members) < 2:
        raise ValueError("an ensemble has two members or more; name more runs or models, or --with-baseline")
    shares = np.array(weights) / np.sum(weights)
    judged = mean(members, shares)
    rows = [
        Scored(
            name=member.name,
            weight=float(share),
            scores=_scores(member, draws, seed),
            gains=paired.differences([member], [judged], draws, seed),
        )
        for member, share in zip(members, shares, strict=True)
    ]
    return Ensemble(
        judged=judged,
        rows=[*rows, Scored(name=judged.name, weight=None, scores=_scores(judged, draws, seed), gains={})],
        over_mean=paired.differences(members[:trained], [judged], draws, seed),
    )


def mean(members: Sequence[Judged], shares: Sequence[float] | np.ndarray) -> Judged:
    """The weighted mean of the members' predictions; of the targets of va, those that all members have.

    Args:
        shares: of each member, with sum 1.

    Raises:
        ValueError: the members have other rows, labels or classes.
    """
    first = members[0]
    for member in members[1:]:
        paired.check_same_rows(first, member)
        if member.classes != first.classes:
            raise ValueError(f"{first.name} and {member.name} have other classes; average runs of the same labels")
    columns = [f"p_{name}" for name in first.classes]
    probabilities = _weighted([member.emotion[columns] for member in members], shares)
    predicted = [first.classes[k] for k in probabilities.argmax(1)]
    emotion = first.emotion.assign(predicted=predicted, **dict(zip(columns, probabilities.T, strict=True)))
    sums, affect = {"emotion": summaries.emotion_sums(emotion, first.classes)}, None
    tables = [member.affect for member in members if member.affect is not None]
    if len(tables) == len(members):
        common = targets.common(tables)
        names = targets.predictions(common)
        values = _weighted([table[names] for table in tables], shares)
        others = targets.predictions([target for target in targets.predicted(tables[0]) if target not in common])
        affect = tables[0].drop(columns=others).assign(**dict(zip(names, values.T, strict=True)))
        sums |= {target: summaries.affect_sums(summaries.labelled(affect, target)) for target in common}
    return replace(first, name=f"mean of {len(members)}", emotion=emotion, affect=affect, sums=sums)


def relative(member: Judged, how: How) -> Judged:
    """A member with its emotions relative to each speaker's own clips (scoring/speaker_logits.py)."""
    emotion = speaker_normalised.table(member.emotion, member.classes, how)
    return replace(
        member, emotion=emotion, sums=member.sums | {"emotion": summaries.emotion_sums(emotion, member.classes)}
    )


def _weighted(tables: Sequence[pd.DataFrame], shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """The weighted mean of tables of the same form [R, K]."""
    return np.average([table.to_numpy(float) for table in tables], axis=0, weights=np.asarray(shares))


def _scores(judged: Judged, draws: int, seed: int) -> dict[str, tuple[float, Interval]]:
    drawn = paired.draw([judged], draws, seed)
    return {name: (value, intervals.bounds(drawn[name])) for name, value in judged.headlines().items()}
