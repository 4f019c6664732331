"""Wall times of the stages in earlier runs of sweeps on this machine, from the lines that DVC prints."""

import json
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

FILE = Path("seconds.json")  # stage -> seconds of its last runs, oldest first
KEPT = 5
_START = re.compile(r"Running stage '(.+)':")
_OTHER = re.compile(r"(Stage '.+' (didn't change|is cached)|Restored stage|'.+\.dvc' didn't change|Ran experiment)")


class Clock:
    """The stages of one run, timed by the lines of DVC's output."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self.seconds: dict[str, float] = {}
        self._now, self._stage, self._since = now, "", 0.0

    def read(self, line: str) -> None:
        """A line of output, as it comes. A stage ends where the next one starts."""
        start = _START.match(line)
        if start or _OTHER.match(line):
            now = self._now()
            if self._stage:
                self.seconds[self._stage] = round(now - self._since, 1)
            self._stage, self._since = (start[1] if start else ""), now


def read(folder: Path) -> dict[str, float]:
    """Stage -> median of its last times in seconds."""
    return {stage: statistics.median(times) for stage, times in _kept(folder).items()}


def add(folder: Path, seconds: dict[str, float]) -> None:
    """Append the times of one run. One process at a time writes here: the sweep, which holds a lock."""
    kept = _kept(folder)
    for stage, time_ in seconds.items():
        kept[stage] = [*kept.get(stage, []), time_][-KEPT:]
    partial = folder / f".{FILE}.partial"
    partial.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(folder / FILE)


def _kept(folder: Path) -> dict[str, list[float]]:
    try:
        kept: dict[str, list[float]] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no earlier sweep; times are worth no error
        return {}
    return kept
