"""How far the raters of a corpus agree: what a reader needs to know about the ceiling of any score."""

from collections.abc import Mapping, Sequence

import numpy as np


def of_votes(
    votes: Mapping[str, Mapping[str, float]], label_of: Mapping[str, str], classes: Sequence[str]
) -> dict[str, float]:
    """Of the clips with votes: clips, raters (mean number of votes), entropy, alpha, and the share that the label has.

    entropy is the mean over clips of that of their votes, in bits. label_share is the mean share of the votes for the
    clip's label: the accuracy of a rater drawn at random.

    Args:
        votes: clip id -> class -> number of votes, of one clip at least. label_of: clip id -> class.
    """
    counts = np.array([[of.get(name, 0.0) for name in classes] for of in votes.values()])
    shares = counts / counts.sum(1, keepdims=True)
    logarithms = np.log2(np.where(shares > 0, shares, 1.0))
    own = shares[np.arange(len(votes)), [classes.index(label_of[clip]) for clip in votes]]
    return {
        "clips": len(votes),
        "raters": round(float(counts.sum(1).mean()), 3),
        "entropy": round(float(-(shares * logarithms).sum(1).mean()), 4),
        "alpha": round(krippendorff_alpha(counts), 4),
        "label_share": round(float(own.mean()), 4),
    }


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Krippendorff's alpha for nominal values (Computing Krippendorff's Alpha-Reliability, 2011, section C).

    1 - observed / expected disagreement, over the coincidences of values within clips. Any number of raters per clip; a
    clip with fewer than two votes has no pair and is not counted. NaN where all votes are for one class.

    Args:
        counts: votes [R, C].
    """
    counts = counts[counts.sum(1) >= 2]
    pairs = counts.sum(1, keepdims=True) - 1  # of each value with the others of its clip
    coincidences = (counts / pairs).T @ counts - np.diag((counts / pairs).sum(0))
    totals = coincidences.sum(0)
    whole = totals.sum()
    observed = whole - np.trace(coincidences)
    expected = (whole**2 - np.square(totals).sum()) / (whole - 1) if whole > 1 else 0.0
    return float(1 - observed / expected) if expected > 0 else float("nan")
