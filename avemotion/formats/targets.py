"""Targets of the stage va: columns of labels.csv, of which va.targets names those that a run predicts.

Readers of results take the targets of a run from the columns of its predictions.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    import pandas as pd

Target = Literal["valence", "arousal", "dominance"]
RATED: Final[list[str]] = list(get_args(Target))  # a list, because pandas reads a tuple as one column name
USUAL: Final = ["valence", "arousal"]
# The input that a target weighs against the others (va.heads). Voices show arousal and dominance more than valence.
OWN: Final = {"valence": "prosody", "arousal": "speech", "dominance": "speech"}


def predicted(columns: Iterable[str]) -> list[str]:
    """The targets with a prediction among the columns of a table, in the order of RATED."""
    names = set(columns)
    return [target for target in RATED if f"{target}_predicted" in names]


def common(tables: Iterable[Iterable[str]]) -> list[str]:
    """The targets with a prediction in each of several tables, or lists of columns."""
    each = [set(predicted(table)) for table in tables]
    return [target for target in RATED if all(target in names for names in each)]


def prediction_columns(targets: Sequence[str]) -> list[str]:
    """The columns of predictions.csv: true values, then predictions."""
    return ["id", "split", *targets, *predictions(targets)]


def predictions(targets: Sequence[str]) -> list[str]:
    """The columns of predictions, in the order of the targets."""
    return [f"{target}_predicted" for target in targets]


def branches(targets: Sequence[str]) -> list[str]:
    """The columns of branches.csv: the weights of each target's own input and of the others."""
    return [f"{target}_{side}" for target in targets for side in ("own", "rest")]


def of_scores(scores: Iterable[str]) -> list[str]:
    """The targets of metrics/detail/affect.json, from its keys."""
    names = set(scores)
    return [target for target in RATED if f"ccc_{target}" in names]


def listed(targets: Sequence[str]) -> str:
    """Targets in words: "valence and arousal"."""
    return targets[0] if len(targets) == 1 else f"{', '.join(targets[:-1])} and {targets[-1]}"


def unrated(table: "pd.DataFrame", targets: Sequence[str]) -> dict[str, int]:
    """Of the turns that have a rating of one of the targets: how many have none of a target, by target."""
    rated = table[table[list(targets)].notna().any(axis=1)]
    return {target: int(rated[target].isna().sum()) for target in targets}


def check(table: "pd.DataFrame", targets: Sequence[str]) -> None:
    """Check that labels.csv of the affect role has ratings of each target.

    Raises:
        ValueError: no turn has a rating of a target.
    """
    for target in targets:
        if table[target].isna().all():
            raise ValueError(
                f"data/manifest/affect/labels.csv: no turn has a rating in column {target}; take {target} out of "
                "va.targets, or give a corpus with it (csv: the column of that name)"
            )
