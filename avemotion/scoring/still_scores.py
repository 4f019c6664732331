"""Scores of the face encoder on the held-out pictures of the role faces."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avemotion.formats.labels import CorpusFacts
from avemotion.scoring import cluster_sums, intervals, metrics, results, summaries
from avemotion.system.seeds import seed_for

STAGE = "pretrain_face"


@dataclass(frozen=True, kw_only=True)
class Stills:
    """Held-out pictures: id, label, predicted, p_<class> ..., majority."""

    facts: CorpusFacts
    test: pd.DataFrame
    validation: pd.DataFrame


def read(root: Path = Path()) -> Stills | None:
    """Predictions of the stage pretrain_face; None where the role faces has no corpus.

    Raises:
        ValueError: a file is missing or does not fit labels.csv.
    """
    facts = results.read_facts("faces", root)
    if facts.absent:
        return None
    known = results.read_labels("faces", root)
    test, validation = (results.classified(STAGE, facts, known, root, on=on) for on in ("test", "val"))
    return Stills(facts=facts, test=test, validation=validation)


def scores(stills: Stills, draws: int, seed: int) -> dict[str, Any]:
    """Scores on test and validation pictures, with bounds of 95 % intervals on test pictures.

    The bootstrap draws single pictures, because the corpora of stills name no persons. Where one person is in several
    pictures, the interval is too narrow.
    """
    classes = stills.facts.classes
    truth, prediction = summaries.indices(stills.test, classes)
    sums = cluster_sums.classified(truth, prediction, np.zeros(len(truth)), len(classes))
    bounds = intervals.over_rows(sums, draws=draws, seed=seed_for(seed, "bootstrap", "faces"))
    test: dict[str, float] = {}
    for name, score in summaries.SCORES.items():
        test |= {name: score(truth, prediction), f"{name}_low": bounds[name].low, f"{name}_high": bounds[name].high}
    constant = stills.test.assign(predicted=stills.test["majority"])
    held_out = summaries.indices(stills.validation, classes)
    return {
        "corpus": stills.facts.corpus,
        "test": test,
        "val": {name: score(*held_out) for name, score in summaries.SCORES.items()} | {"pictures": len(held_out[0])},
        "majority": metrics.accuracy(*summaries.indices(constant, classes)),
        "chance": 1 / len(np.unique(truth)),
        "recall": dict(zip(classes, metrics.recalls(truth, prediction, len(classes)).tolist(), strict=True)),
        "pictures": len(truth),
    }
