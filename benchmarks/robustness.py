"""Hostile input for the real stages: counts what they use, refuse with a reason, or lose (which must be nothing).

`python -m benchmarks.robustness` writes corpora of damaged and odd recordings between good ones into a temporary folder
and runs the stages manifest, features, fusion, va and the command predict on them. Then it damages label files, params,
checkpoints, the noise recording and the cache, and prints a table. With `--hours 2` it also prints the peak memory for
recordings of that length. `python -m benchmarks.timed_recordings` prints the last table, of values, by itself.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml

from avemotion.formats import clips
from avemotion.formats.feature_store import REJECTED, FeatureStore
from benchmarks import hostile_files, timed_recordings
from benchmarks.hostile_corpora import GOOD, Case, write_affect, write_emotion
from benchmarks.hostile_files import Tried

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"audio": ("wavlm", "mel", "prosody", "speaker"), "video": ("frames",)}
CHANGES = {
    "compute": {"device": "cpu", "workers": 1, "loader_workers": 0},
    "corpora": {"emotion": {"name": "csv", "root": "emotion"}, "affect": {"name": "csv", "root": "affect"}},
    "manifest": {"csv": {"scale": [1, 5]}, "emotion": {"split": "given"}, "affect": {"split": "speakers", "folds": 3}},
    "views": {"emotion": [10]},
    "augment": {"audio": {"views": {"clean": 1}}},
    "fusion": {"warm_start": [], "head_epochs": 0, "epochs": 1},
    "va": {"epochs": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="working folder, which is kept for inspection")
    parser.add_argument("--hours", type=float, default=0, help="also measure recordings of this many hours")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        cases = write_emotion(Path("emotion"))
        write_affect(Path("affect"))
        write_params(max_rejected=0.02)
        tried = [stops()]
        write_params(max_rejected=1.0)
        for stage in ("manifest", "features", "fusion", "va"):
            run(f"stages.{stage}")
        tried += used_or_listed(cases)
        tried += predicted(cases)
        tried += hostile_files.try_all(ROOT)
        show(tried)
        timed_recordings.show(Path("timed"))
        if options.hours:
            long_recordings(options.hours)


def long_recordings(hours: float) -> None:
    """Print their table, from a process of its own: the peak memory of a process is at least that of its parent."""
    command = [sys.executable, "-m", "benchmarks.long_recordings", "--hours", str(hours)]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def write_params(max_rejected: float) -> None:
    def merge(into: dict, changes: dict) -> dict:
        for name, value in changes.items():
            deeper = isinstance(value, dict) and isinstance(into.get(name), dict) and name != "views"
            into[name] = merge(into[name], value) if deeper else value
        return into

    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    views = params["views"] | CHANGES["views"]
    params = merge(params, CHANGES | {"views": views})
    params["manifest"]["max_rejected"] = max_rejected
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run a stage or command; if it fails, print its output and exit."""
    done = start(module, *arguments)
    if done.returncode:
        sys.exit(f"{module} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


def start(module: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, errors="backslashreplace")


def stops() -> Tried:
    """The manifest must stop with a summary if more clips than manifest.max_rejected are damaged."""
    done = start("stages.manifest")
    clear = done.returncode == 1 and "error: " in done.stderr and " are damaged (" in done.stderr
    outcome = "traceback" if "Traceback" in done.stderr else "refused" if clear else "lost"
    return Tried(kind="manifest above max_rejected", damage="", outcome=outcome)


def used_or_listed(cases: list[Case]) -> list[Tried]:
    """The outcome of each recording's sound and picture, and of the good clips between them."""
    kept = {clip.id: clip for clip in clips.read("emotion")}
    refused = {path for path, reason in rejected(Path("data/manifest/emotion/rejected.csv")) if reason}
    caches = {
        kind: FeatureStore(Path("data/features") / kind / "emotion") for kinds in KINDS.values() for kind in kinds
    }
    failed = {
        kind: {clip for clip, _, reason in rejected(cache.folder / REJECTED) if reason}
        for kind, cache in caches.items()
    }

    def fate(clip: str, path: str, modality: str) -> str:
        if clip not in kept or not getattr(kept[clip], modality):
            return "refused" if path in refused else "lost"
        extracted = [bool(caches[kind].length(clip, caches[kind].arrays[0])) for kind in KINDS[modality]]
        listed = [clip in failed[kind] for kind in KINDS[modality]]
        return (
            "used"
            if all(extracted)
            else "refused"
            if all(a or b for a, b in zip(extracted, listed, strict=True))
            else "lost"
        )

    tried = [
        Tried(kind=f"{case.kind} {what}", damage=case.damage, outcome=fate(case.id, case.path, modality))
        for case in cases
        for modality, what in (("audio", "sound"), ("video", "picture"))
        if modality == "audio" or case.kind in ("mp4", "avi")
    ]
    for i in range(GOOD):
        whole = all(fate(f"g{i:02}", "", modality) == "used" for modality in KINDS)
        tried.append(Tried(kind="good clips between them", damage="", outcome="used" if whole else "lost"))
    turns = pd.concat(pd.read_csv(file) for file in Path("data/models/va").glob("*/predictions.csv")).query(
        "split == 'test'"
    )
    outcomes = {True: "refused", False: "used"}
    return tried + [
        Tried(kind="turns (one without sound)", damage="", outcome=outcomes[bool(pd.isna(value))])
        for value in turns.valence_predicted
    ]


def rejected(file: Path) -> list[tuple[str, ...]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return [tuple(row) for row in csv.reader(stream)][1:]


def predicted(cases: list[Case]) -> list[Tried]:
    """`commands.predict` on the whole folder: every file must have a prediction or a reason."""
    import json

    done = run("commands.predict", "emotion", "--json")
    output = json.loads(done.stdout)
    used = {of["file"] for of in output["recordings"]}
    failed = {of["file"] for of in output["failed"] if of["reason"]}
    files = [case for case in cases if case.damage not in ("a folder", "absent")]
    outcomes = [
        "used" if f"emotion/{case.path}" in used else "refused" if f"emotion/{case.path}" in failed else "lost"
        for case in files
    ]
    return [Tried(kind="predict", damage=case.damage, outcome=o) for case, o in zip(files, outcomes, strict=True)]


def show(tried: list[Tried]) -> None:
    outcomes = ("used", "refused", "traceback", "lost")
    for column, title in (("kind", "input"), ("damage", "damage (sound and picture, manifest to features)")):
        print(f"\n| {title} | tried | used | refused, with reason | tracebacks | lost |")
        print("| --- " * 6 + "|")
        shown = tried if column == "kind" else [t for t in tried if t.kind.endswith((" sound", " picture"))]
        counts: dict[str, Counter] = {}
        for one in shown:
            counts.setdefault(getattr(one, column), Counter())[one.outcome] += 1
        for name, count in counts.items():
            print(f"| {name} | {count.total()} | " + " | ".join(str(count[outcome]) for outcome in outcomes) + " |")
        total = Counter(one.outcome for one in shown)
        print(f"| all | {total.total()} | " + " | ".join(str(total[outcome]) for outcome in outcomes) + " |")
    for one in tried:
        if one.outcome in ("traceback", "lost"):
            print(one, file=sys.stderr)


if __name__ == "__main__":
    main()
