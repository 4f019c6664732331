"""Compare the saved predictions of two revisions on the same test clips: difference, 95 % interval, p.

Each side is `workspace`, a git revision or a DVC experiment, read from DVC's cache without checking anything out:

    python -m stages.compare main workspace
    python -m stages.compare gated-seed1 concat-seed1 --json
    python -m stages.compare workspace workspace --model pretrain_audio fusion
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from stages.lib import cli
from stages.lib.scoring import paired, report, revisions
from stages.lib.scoring.paired import Difference, Judged

NAMES = dict(zip(report.HEADLINES, ("accuracy", "UAR", "macro-F1", "CCC valence", "CCC arousal"), strict=True))
SIGNIFICANT = 0.05
FEW = 10  # clusters below which a bootstrap interval is clearly too narrow


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", help="workspace, git revision or experiment to compare with")
    parser.add_argument("second", help="the one whose change is judged")
    parser.add_argument(
        "--model",
        nargs="+",
        choices=paired.MODELS,
        default=["fusion"],
        help="model of both sides, or one for each; fusion brings valence and arousal with it",
    )
    parser.add_argument("--draws", type=int, default=10_000, help="of the bootstrap (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if len(options.model) > 2:
        raise ValueError(f"--model names {len(options.model)} models; name one for both sides, or one for each")
    if options.draws < 100:
        raise ValueError(f"--draws is {options.draws}; give 100 or more: the bounds are the outer 2.5 % of the draws")
    models = (options.model * 2)[:2]
    affect = models == ["fusion", "fusion"]
    sides = []
    with tempfile.TemporaryDirectory() as scratch:
        for place, revision, model in zip("ab", (options.first, options.second), models, strict=False):
            stages = [model, "va"] if affect else [model]
            root = revisions.fetch(revision, Path(scratch) / place, stages)
            sides.append(paired.read(root, _name(revision, model, models), model, affect=affect))
    found = paired.differences([sides[0]], [sides[1]], options.draws, options.seed)
    print(as_json(*sides, found) if options.json else as_text(*sides, found))


def _name(revision: str, model: str, models: list[str]) -> str:
    return revision if models[0] == models[1] else f"{model} of {revision}"


def as_json(first: Judged, second: Judged, found: dict[str, Difference]) -> str:
    """All numbers, rounded as in metrics/, with the sentence."""
    content = {
        "first": first.name,
        "second": second.name,
        "headlines": {name: asdict(difference) for name, difference in found.items()},
        "clips": len(first.emotion),
        "turns": 0 if first.affect is None else len(first.affect),
        "synthetic": first.synthetic,
        "sentence": sentence(first, second, found),
    }
    return report.text(content).rstrip()


def as_text(first: Judged, second: Judged, found: dict[str, Difference]) -> str:
    """A table of the headlines and a sentence."""
    width = max(len(first.name), len(second.name), 8)
    lines = [f"{'':11}  {first.name:>{width}}  {second.name:>{width}}  difference   95 % interval         p"]
    for name, d in found.items():
        lines.append(
            f"{NAMES[name]:11}  {d.first:{width}.3f}  {d.second:{width}.3f}  {d.difference:+10.3f}   "
            f"[{d.low:+.3f}, {d.high:+.3f}]  {as_p(d.p)}"
        )
    return "\n".join([*lines, "", sentence(first, second, found)])


def sentence(first: Judged, second: Judged, found: dict[str, Difference]) -> str:
    """What the numbers say, in words."""
    told = {name: d for name, d in found.items() if d.p < SIGNIFICANT}
    over = f"{len(first.emotion)} test clips of {found['accuracy'].clusters} speakers"
    if "ccc_valence" in found:
        over += f" and {len(first.affect)} test turns of {found['ccc_valence'].clusters} dialogues"
    parts = []
    for word, sign in (("better", 1), ("worse", -1)):
        named = [
            f"{NAMES[name]} ({d.difference:+.3f}, p {_equals(d.p)})"
            for name, d in told.items()
            if d.difference * sign > 0
        ]
        if named:
            parts.append(f"{word} than {first.name} in {_listed(named)}")
    text = (
        f"Over {over}, {second.name} is {' and '.join(parts)}"
        if parts
        else (f"Over {over}, {second.name} and {first.name} cannot be told apart")
    )
    rest = [NAMES[name] for name in found if name not in told]
    if parts and rest:
        text += f"; no difference in {_listed(rest)} that chance would not explain"
    clusters = {paired.CLUSTERS[paired.part_of(name)]: d.clusters for name, d in found.items()}
    for what, count in clusters.items():
        if count < FEW:
            text += (
                f". {count} {what} are few: p cannot be below {2.0 ** (1 - count):.3g} and the interval is too narrow"
            )
    return text + (". Synthetic sample: this says nothing about people." if first.synthetic else ".")


def as_p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _equals(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


if __name__ == "__main__":
    cli.run(main)
