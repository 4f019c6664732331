"""An ensemble with its members as text, as a data frame and as JSON."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from avemotion.comparison.difference_text import as_p
from avemotion.comparison.ensembles import Ensemble, Scored
from avemotion.comparison.paired import Difference
from avemotion.formats.targets import RATED, USUAL
from avemotion.scoring import summaries
from avemotion.scoring.headlines import HEADLINES
from avemotion.scoring.results import NAMES

MEAN = "mean score of the models"


def as_text(ensemble: Ensemble) -> str:
    """A block for each headline: the members, the ensemble, and what it gains over each of them."""
    width = max(len(MEAN), *(len(row.name) for row in ensemble.rows))
    lines = []
    for metric in ensemble.rows[-1].scores:
        lines.append(f"{HEADLINES[metric]:{width}}  weight  score  95 % interval   gain of the ensemble        p")
        lines += [f"{row.name:{width}}  {_cells(row, metric)}" for row in ensemble.rows if metric in row.scores]
        over = ensemble.over_mean[metric]
        lines += [f"{MEAN:{width}}          {over.first:.3f}{'':18}{_change(over)}", ""]
    return "\n".join([*lines, _legend(ensemble)])


def as_table(ensemble: Ensemble) -> pd.DataFrame:
    """One row for each member and headline, then the ensemble's own, without gain."""
    rows: list[dict[str, Any]] = []
    for row in ensemble.rows:
        for metric, (value, bounds) in row.scores.items():
            cells: dict[str, Any] = {"model": row.name, "weight": row.weight, "metric": metric, "score": value}
            cells |= {"low": bounds.low, "high": bounds.high}
            gain = row.gains.get(metric)
            names = {"gain": "difference", "gain_low": "low", "gain_high": "high", "p": "p", "clusters": "clusters"}
            rows.append(cells | {key: None if gain is None else getattr(gain, name) for key, name in names.items()})
    return pd.DataFrame(rows).assign(on=ensemble.judged.on)


def as_json(ensemble: Ensemble) -> str:
    """All numbers, rounded as in metrics/."""
    members = {
        row.name: {
            "weight": row.weight,
            "scores": {name: {"value": value, **bounds._asdict()} for name, (value, bounds) in row.scores.items()},
            "gain": {name: asdict(gain) for name, gain in row.gains.items()},
        }
        for row in ensemble.rows
    }
    mean = {name: asdict(gain) for name, gain in ensemble.over_mean.items()}
    judged = ensemble.judged
    content: dict[str, Any] = {"on": judged.on, "members": members, "gain_over_mean_of_members": mean}
    content |= {"clips": len(judged.emotion), "turns": 0 if judged.affect is None else len(judged.affect)}
    return summaries.text(content | {"synthetic": judged.synthetic}).rstrip()


def _cells(row: Scored, metric: str) -> str:
    (value, bounds), gain = row.scores[metric], row.gains.get(metric)
    weight = "" if row.weight is None else f"{row.weight:.3f}"
    text = f"{weight:>6}  {value:.3f}  [{bounds.low:.3f}, {bounds.high:.3f}]"
    return text if gain is None else f"{text}  {_change(gain)}"


def _change(gain: Difference) -> str:
    return f"{gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]  {as_p(gain.p)}"


def _legend(ensemble: Ensemble) -> str:
    judged = ensemble.judged
    text = f"Over {len(judged.emotion)} {NAMES[judged.on]} clips"
    text += f" and {len(judged.affect)} turns" if judged.affect is not None else ""
    names = [target for target in RATED if target in judged.sums] or USUAL
    text += f". Intervals and p by bootstrap over speakers (emotion) or dialogues ({', '.join(names)}), paired."
    if judged.on == "val":
        text += " For choosing: training chose its epochs on the same clips, so these scores are too good."
    return text + (" Synthetic sample: not a result about real people." if judged.synthetic else "")
