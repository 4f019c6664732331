"""Tables of scores of benchmarks.real: out-of-fold predictions, relative to the speaker too, and their intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from avemotion.formats import clips, labels
from avemotion.scoring import cluster_sums, intervals, speaker_logits, speaker_normalised

DRAWS = 10_000
SPLITS = ("val", "test")
A, B, BZ = "A", "B", "Bz"  # regimes: what a prediction may use
REGIMES: dict[str, speaker_logits.How] = {A: "none", B: "mean", BZ: "mean_std"}
LEGEND = (
    "A: the clip alone. B: minus the mean logit of the speaker's own clips, without labels. Bz: also divided by their "
    "deviation, which only suits corpora where a speaker shows every emotion equally often."
)


def predictions(folder: Path, split: str) -> pd.DataFrame:
    """Out-of-fold rows of a trained folder, by clip id, with the speaker of each clip and the fold of its model."""
    tables = [
        pd.read_csv(file, dtype={"id": str}).assign(fold=int(file.parent.name.removeprefix("fold_")))
        for file in sorted(folder.glob("fold_*/predictions.csv"))
    ]
    table = pd.concat(tables).query("split == @split").sort_values("id")
    project = next(parent for parent in (folder, *folder.parents) if (parent / clips.FOLDER).is_dir())
    speakers = labels.read("emotion", project / clips.FOLDER).set_index("id")["speaker"]
    return table.assign(speaker=table["id"].map(speakers)).reset_index(drop=True)


def scored(tables: Sequence[pd.DataFrame]) -> tuple[list[float], intervals.Interval]:
    """UAR of each table (seeds over the same clips), and the interval of their mean over speakers."""
    sums = _sums(tables)
    times = intervals.times_drawn(tables[0]["speaker"].nunique(), DRAWS, 0)
    return [s.estimate()["uar"] for s in sums], intervals.bounds(intervals.resample(sums, times)["uar"])


def columns(table: pd.DataFrame) -> list[str]:
    """Names of the probabilities of a table, in the order of its classes."""
    return [name for name in table.columns if name.startswith("p_")]


def relative(table: pd.DataFrame, how: speaker_logits.How) -> pd.DataFrame:
    """Predictions relative to the speaker; those of a validation and of a test model are kept apart."""
    classes = [name.removeprefix("p_") for name in columns(table)]
    return speaker_normalised.table(table.assign(fold=table["fold"].astype(str)), classes, how)


def mean(tables: Sequence[pd.DataFrame], shares: Sequence[float]) -> pd.DataFrame:
    """Predictions by the weighted mean of the probabilities of several models of the same clips.

    Args:
        shares: one a table; their sum is 1.
    """
    names = columns(tables[0])
    assert all(table["id"].equals(tables[0]["id"]) and columns(table) == names for table in tables)
    shared = np.average([table[names].to_numpy() for table in tables], axis=0, weights=shares)
    predicted = [names[k].removeprefix("p_") for k in shared.argmax(1)]
    return tables[0].assign(predicted=predicted, **dict(zip(names, shared.T, strict=True)))


def in_words(tables: Sequence[pd.DataFrame]) -> str:
    """Mean ± deviation over the seeds, with the interval of the mean over speakers."""
    values, (low, high) = scored(tables)
    deviation = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation} [{low:.3f}, {high:.3f}]"


def table(rows: Mapping[str, Mapping[str, Sequence[Sequence[pd.DataFrame]]]]) -> list[str]:
    """Lines of a Markdown table.

    Args:
        rows: title -> split -> for each of REGIMES, the tables of its seeds.
    """
    names = {"val": "validation", "test": "test"}
    heads = [f"{names[split]} {regime}" for split in SPLITS for regime in REGIMES]
    lines = [f"| UAR | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for title, found in rows.items():
        cells = [in_words(tables) for split in SPLITS for tables in found[split]]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def gain(tables: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame]) -> str:
    """Difference of two mean UARs with interval and p, paired over speakers: tables - others, a seed each."""
    speakers = tables[0]["speaker"].nunique()
    times = intervals.times_drawn(speakers, DRAWS, 0)
    drawn = [intervals.resample(_sums(part), times)["uar"] for part in (tables, others)]
    means = [float(np.mean([sums.estimate()["uar"] for sums in _sums(part)])) for part in (tables, others)]
    (low, high), p = intervals.bounds(drawn[0] - drawn[1]), intervals.p_value(drawn[0] - drawn[1], speakers)
    return f"{means[0] - means[1]:+.3f} [{low:+.3f}, {high:+.3f}], p {p:.3f}"


def _sums(tables: Sequence[pd.DataFrame]) -> list[cluster_sums.Sums]:
    classes = sorted(set(tables[0]["label"]))
    return [
        cluster_sums.classified(
            table["label"].map(classes.index), table["predicted"].map(classes.index), table["speaker"], len(classes)
        )
        for table in tables
    ]
