"""SIGKILL at random times in every stage of `dvc repro`."""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import small_project

# The killed processes: all at once (as by a batch system), DVC alone (its stage may still run at the next `dvc repro`),
# the stage alone, or one of its worker processes.
VICTIMS = ("all", "dvc", "stage", "all", "worker")
# Files that a killed DVC may leave incomplete, and its message about them. The benchmark then deletes them.
CUT_OFF = {".dvc/tmp/rwlock": "JSON structure is corrupted", "dvc.lock": "dvc.lock' validation failed"}


def kills(options: argparse.Namespace, folder: Path, calm: Path) -> int:
    """Print one row per stage; returns the number of faults, such as differing files."""
    lengths = durations(calm.with_suffix(".log"))
    draw = random.Random(options.seed)
    disturbed = folder / "killed"
    shutil.rmtree(disturbed, ignore_errors=True)
    small_project.clone(disturbed, small_project.SMALLEST)
    plan = sorted((list(lengths) * (1 + options.kills // len(lengths)))[: options.kills], key=list(lengths).index)
    done: dict[str, Counter] = {stage: Counter() for stage in lengths}
    finished: dict[str, int] = {}  # units that a killed stage finished; its next run must reuse them
    total: Counter = Counter()
    for number, stage in enumerate(plan):
        victim = VICTIMS[number % len(VICTIMS)]
        attempt = Attempt(disturbed, stage, when(draw, stage, number, lengths[stage], calm), victim)
        attempt.run()
        hit = attempt.hit or stage
        count_reused(attempt.lines, finished, done)
        finished = units(disturbed)
        done[hit]["kills"] += attempt.killed
        total.update(
            {f"killed: {attempt.victim}": attempt.killed, "workers that outlived their stage": attempt.orphans}
        )
        total["stages that outlived their DVC"] += attempt.outlived
        for name, phrase in CUT_OFF.items():
            if phrase in "".join(attempt.lines):
                (disturbed / name).unlink()
                total[f"{name} deleted by hand"] += 1
        print(f"{number + 1:3} {attempt.victim:7} {hit:26} {attempt.at:6.1f} s, finished: {finished}", file=sys.stderr)
    wait_for_orphans(disturbed)
    log = small_project.run(disturbed, "dvc", "repro")
    count_reused(log.splitlines(keepends=True), finished, done)
    wrong = small_project.differing(disturbed, calm)
    left = sorted(path.name for path in disturbed.rglob("*.partial"))
    print("\n| stage | kills | finished units reused by the next run | finished units redone |\n|---|---:|---:|---:|")
    for stage, counts in done.items():
        print(f"| {stage} | {counts['kills']} | {counts['reused']} | {counts['redone']} |")
    sums = {name: sum(counts[name] for counts in done.values()) for name in ("kills", "reused", "redone")}
    print(f"| all | {sums['kills']} | {sums['reused']} | {sums['redone']} |\n")
    print("; ".join(f"{name}: {count}" for name, count in sorted(total.items())))
    print(f"files compared: {len(small_project.digests(calm))}; differing: {len(wrong)} {wrong}; left behind: {left}")
    return len(wrong) + sums["redone"] + len(left) + total["workers that outlived their stage"]


def when(draw: random.Random, stage: str, number: int, seconds: float, calm: Path) -> tuple[float, int]:
    """(seconds, finished clips or folds) in a stage before the kill, whichever comes first; one of them is random."""
    last = 0
    if stage == "va":
        last = len(list((calm / "data/models/va").iterdir())) - 1
    elif stage.startswith("features"):
        role = stage.rpartition("@")[2]
        last = len((calm / f"data/manifest/{role}/clips.csv").read_text(encoding="utf-8").splitlines()) - 2
    if number % 2 and last:
        return 10 * seconds, draw.randint(1, last)
    return draw.uniform(0, seconds), sys.maxsize


class Attempt:
    """One `dvc repro` with a kill."""

    def __init__(self, folder: Path, stage: str, when: tuple[float, int], victim: str):
        self.folder, self.stage, self.victim = folder, stage, victim
        self.delay, self.units = when
        self.lines: list[str] = []
        self.hit: str | None = None  # the stage that was running at the kill
        self.killed, self.orphans, self.outlived, self.at = 0, 0, 0, 0.0

    def run(self) -> None:
        process = small_project.start(self.folder, "dvc", "repro")
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        while process.poll() is None and self.hit != self.stage:
            time.sleep(0.01)
        began = time.monotonic()
        while process.poll() is None and self.hit == self.stage and time.monotonic() - began < self.delay:
            if self.units <= sum(units(self.folder).values()):
                break
            time.sleep(0.002)
        self.at = time.monotonic() - began
        if process.poll() is None:
            self._kill(process)
        process.wait()
        if self.victim != "dvc":
            reader.join()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            self.lines.append(line)
            if stage := stage_of(line):
                self.hit = stage

    def _kill(self, process: subprocess.Popen) -> None:
        stages = [one for one in psutil.Process(process.pid).children(recursive=True) if is_stage(one)]
        workers = [worker for one in stages for worker in one.children() if "spawn_main" in " ".join(cmdline(worker))]
        chosen = {"stage": stages, "worker": workers[:1], "dvc": [psutil.Process(process.pid)]}.get(self.victim, [])
        if not chosen:  # without a worker or stage at this time, all are killed
            self.victim = "all" if self.victim != "dvc" else "dvc"
            os.killpg(process.pid, signal.SIGKILL)
        for one in chosen:
            one.kill()
        self.killed = 1
        if self.victim == "dvc":
            _, alive = psutil.wait_procs(stages, timeout=2)
            # A stage that still imports does not react yet, so the next run overlaps with it. A zombie has ended.
            self.outlived = sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in alive)
        else:
            process.wait()  # of a stage or a worker: DVC ends with an error
            _, alive = psutil.wait_procs(workers, timeout=10)
            self.orphans = len(alive)


def stage_of(line: str) -> str | None:
    match = re.match(r"Running stage '(?:.*:)?(.*)':", line)
    return match[1] if match else None


def durations(log: Path) -> dict[str, float]:
    """Stage -> seconds from its start to that of the next, in the order of the chain."""
    starts, end = {}, 0.0
    for line in log.read_text(encoding="utf-8").splitlines():
        seconds, _, text = line.partition(" ")
        end = float(seconds)
        if stage := stage_of(text):
            starts[stage] = end
    ends = [*list(starts.values())[1:], end]
    return {stage: after - at for (stage, at), after in zip(starts.items(), ends, strict=True)}


def units(folder: Path) -> dict[str, int]:
    """Label of a stage -> number of its finished clips or folds in data/work."""
    work = folder / "data/work"
    finished = Counter(
        "features {} {}".format(*file.relative_to(work / "features").parts[:2])
        for file in work.glob("features/*/*/*/units/*.npz")
    )
    finished.update(fold.relative_to(work).parts[0] for fold in work.glob("*/*/fold_*") if fold.is_dir())
    return dict(finished)


def count_reused(lines: list[str], finished: dict[str, int], done: dict[str, Counter]) -> None:
    """Compare the reused units in the log of a run with those that existed at the previous kill."""
    for line in lines:
        label, _, text = line.rpartition("\r")[2].partition(": ")
        if label not in finished or not re.match(r"\d+ (clips|folds)", text):
            continue
        reused = sum(int(count) for count in re.findall(r"(\d+) (?:finished before|unchanged)", text))
        kind = label.split()
        stage = f"features_{kind[1]}@{kind[2]}" if kind[0] == "features" else label
        done[stage].update({"reused": reused, "redone": max(0, finished.pop(label) - reused)})


def is_stage(process: psutil.Process) -> bool:
    command = cmdline(process)
    return "-m" in command and any(part.startswith("stages.") for part in command) and "python" in command[0]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return [""]


def wait_for_orphans(folder: Path) -> None:
    """Wait until no process works in folder: a stage may outlive its DVC, but then ends."""

    def busy() -> bool:
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(folder):
                    return True
            except psutil.Error:
                continue
        return False

    while busy():
        time.sleep(0.2)
