"""The part of report.html about whom a model serves: its scores by gender and by speaker."""

from collections.abc import Mapping

import numpy as np

from avemotion.report import cells, page
from avemotion.scoring.served import LEAST

SHOWN = 3  # speakers with the worst scores in the table


def parts(served: Mapping, titles: Mapping[str, str], size: str) -> list[str]:
    """A sentence that names the worst speakers, and a table of genders, the worst speakers and the best.

    Args:
        served: the scores of served.py. titles: score -> its name in the page. size: clips or turns.
    """
    speakers = {name: of for name, of in served["speaker"].items() if of[size] >= LEAST}
    sentences = [_sentence(name, titles[name], speakers, worst, size) for name, worst in served["worst"].items()]
    header = ("", size, *titles.values())
    rows = [_row(f"{of['speakers']} {gender} speakers", of, titles, size) for gender, of in served["gender"].items()]
    first, title = next(iter(titles.items()))
    defined = [name for name, of in speakers.items() if not np.isnan(of[first])]
    ordered = sorted(defined, key=lambda name: speakers[name][first])
    listed = dict.fromkeys(ordered[:SHOWN], "worst") | dict.fromkeys(ordered[SHOWN:][-1:], "best")
    for name, rank in listed.items():
        rows.append(_row(f"speaker {name} ({rank} {title})", speakers[name], titles, size))
    return [page.heading("Who is served"), page.paragraph(" ".join(sentences)), page.table(header, rows)]


def _sentence(score: str, title: str, speakers: Mapping, worst: Mapping, size: str) -> str:
    if not worst:
        return f"No speaker has {LEAST} {size} or more, so {title} is not given by speaker."
    values = [of[score] for of in speakers.values() if not np.isnan(of[score])]
    return (
        f"{title} is worst for speaker {worst['speaker']}: {cells.number(worst[score])} over {worst[size]} {size}; "
        f"the median of {len(values)} speakers is {cells.number(float(np.median(values)))}, the best "
        f"{cells.number(max(values))}."
    )


def _row(name: str, of: Mapping, titles: Mapping[str, str], size: str) -> list[str]:
    return [name, str(of[size]), *(cells.number(of[score]) for score in titles)]
