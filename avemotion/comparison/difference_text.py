"""Differences between two runs as JSON, as a table and as a sentence."""

from dataclasses import asdict

from avemotion.comparison import paired
from avemotion.comparison.paired import Difference, Judged
from avemotion.scoring import summaries
from avemotion.scoring.headlines import HEADLINES
from avemotion.scoring.results import NAMES

SIGNIFICANT = 0.05
FEW = 10  # clusters below which a bootstrap interval is clearly too narrow


def as_json(first: Judged, second: Judged, differences: dict[str, Difference]) -> str:
    """All numbers, rounded as in metrics/, with the sentence."""
    content = {
        "first": first.name,
        "second": second.name,
        "on": first.on,
        "headlines": {name: asdict(difference) for name, difference in differences.items()},
        "clips": len(first.emotion),
        "turns": 0 if first.affect is None else len(first.affect),
        "synthetic": first.synthetic,
        "sentence": sentence(first, second, differences),
    }
    return summaries.text(content).rstrip()


def as_text(first: Judged, second: Judged, differences: dict[str, Difference]) -> str:
    """A table of the headlines and a sentence."""
    width = max(len(first.name), len(second.name), 8)
    lines = [f"{'':11}  {first.name:>{width}}  {second.name:>{width}}  difference   95 % interval         p"]
    for name, d in differences.items():
        lines.append(
            f"{HEADLINES[name]:11}  {d.first:{width}.3f}  {d.second:{width}.3f}  {d.difference:+10.3f}   "
            f"[{d.low:+.3f}, {d.high:+.3f}]  {as_p(d.p)}"
        )
    return "\n".join([*lines, "", sentence(first, second, differences)])


def sentence(first: Judged, second: Judged, differences: dict[str, Difference]) -> str:
    """The differences in words."""
    significant = {name: d for name, d in differences.items() if d.p < SIGNIFICANT}
    over = f"{len(first.emotion)} {NAMES[first.on]} clips of {differences['accuracy'].clusters} speakers"
    if "ccc_valence" in differences:
        over += f" and {len(first.affect)} {NAMES[first.on]} turns of {differences['ccc_valence'].clusters} dialogues"
    parts = []
    for word, sign in (("better", 1), ("worse", -1)):
        named = [
            f"{HEADLINES[name]} ({d.difference:+.3f}, p {_equals(d.p)})"
            for name, d in significant.items()
            if d.difference * sign > 0
        ]
        if named:
            parts.append(f"{word} than {first.name} in {_listed(named)}")
    text = f"Over {over}, {second.name} and {first.name} do not differ significantly"
    if parts:
        text = f"Over {over}, {second.name} is {' and '.join(parts)}"
    rest = [HEADLINES[name] for name in differences if name not in significant]
    if parts and rest:
        text += f"; no significant difference in {_listed(rest)}"
    clusters = {paired.CLUSTERS[paired.part_of(name)]: d.clusters for name, d in differences.items()}
    for what, count in clusters.items():
        if count < FEW:
            text += (
                f". {count} {what} are few: p cannot be below {2.0 ** (1 - count):.3g} and the interval is too narrow"
            )
    return text + (". Synthetic sample: not a result about real people." if first.synthetic else ".")


def as_p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _equals(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
