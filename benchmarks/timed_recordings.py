"""Recordings as people make them: are the values right that are read of them?

`python -m benchmarks.timed_recordings` writes files of 15 formats in which time can be read (timed_media.py) and
compares what is read with the truth (timed_cases.py): beeps within 50 ms and 1 % of their pitch, frames within half a
frame.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.timed_cases import cases, check

OUTCOMES = ("right", "refused", "wrong")


def show(folder: Path) -> None:
    """Print a table of outcomes by kind of recording; what is not right goes to stderr."""
    counts: dict[str, Counter[str]] = {}
    for case in cases(folder):
        outcome = check(case)
        counts.setdefault(case.kind, Counter())[outcome.partition(":")[0]] += 1
        if outcome != "right":
            print(f"{case.kind}, {case.file.name}: {outcome}", file=sys.stderr)
        case.file.unlink()
    counts["all"] = sum(counts.values(), Counter())
    print("\n| recording (sound and picture, by value) | tried | right | refused, with reason | wrong |")
    print("| --- " * 5 + "|")
    for name, count in counts.items():
        print(f"| {name} | {count.total()} | " + " | ".join(str(count[outcome]) for outcome in OUTCOMES) + " |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        show(Path(name))
