"""Hostile input through the real stages: what is used, what is refused with a reason, what is lost (nothing may be).

`python -m benchmarks.robustness` builds a corpus of damaged and odd recordings between good ones in a temporary folder,
runs manifest, features, fusion, va and predict on it, damages label files, params, checkpoints, the noise recording and
the cache too, and prints a table. With `--hours 2` it also prints the largest memory for recordings that long.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import soundfile
import yaml

from avemotion.formats import clips
from avemotion.formats.feature_store import REJECTED, FeatureStore
from benchmarks import hostile, hostile_files, long_recordings
from benchmarks.hostile_files import Tried

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"audio": ("wavlm", "mel", "prosody", "speaker"), "video": ("frames",)}
GOOD = 24  # good clips of the emotion corpus, and turns of the affect corpus
COLUMNS = ("id", "audio", "video", "emotion", "valence", "arousal", "speaker", "dialogue", "start", "end", "split")
CHANGES = {
    "compute": {"device": "cpu", "workers": 1, "loader_workers": 0},
    "corpora": {"emotion": {"name": "csv", "root": "emotion"}, "affect": {"name": "csv", "root": "affect"}},
    "manifest": {"csv": {"scale": [1, 5]}, "emotion": {"split": "given"}, "affect": {"split": "speakers", "folds": 3}},
    "views": {"emotion": [10]},
    "augment": {"audio": {"views": {"clean": 1}}},
    "fusion": {"warm_start": [], "head_epochs": 0, "epochs": 1},
    "va": {"epochs": 1},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile recording: a row of the emotion corpus."""

    id: str
    kind: str  # wav, flac, mp4, avi
    damage: str
    path: str  # below the corpus root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="work there and leave it to be looked at")
    parser.add_argument("--hours", type=float, default=0, help="also measure recordings of so many hours")
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
        if options.hours:
            long_recordings.show(options.hours)


def write_emotion(root: Path) -> list[Case]:
    """The hostile recordings, GOOD good ones, and clips.csv."""
    made: list[tuple[str, str, Path]] = []
    valid = {suffix: hostile.make(root / f"valid{suffix}", 1).read_bytes() for suffix in hostile.FORMATS}
    for n, suffix in enumerate(hostile.FORMATS):
        foreign = {other: content for other, content in valid.items() if other != suffix}
        own = hostile.make(root / f"own{suffix}", 100 + n).read_bytes()
        for i, (damage, content) in enumerate(hostile.damaged(own, foreign, seed=n)):
            file = root / f"{i}{suffix}"
            file.write_bytes(content)
            made.append((suffix[1:], damage, file))
        made += [(suffix[1:], why, path) for why, path in hostile.unopenable(root / suffix[1:], suffix).items()]
        for i, odd in enumerate(hostile.NAMES):
            made.append((suffix[1:], "odd name", hostile.make(root / "names" / f"{odd}{suffix}", 500 + 50 * n + i)))
    for damage, (samples, rate) in hostile.odd_sounds().items():
        file = root / f"{damage}.wav"
        soundfile.write(file, samples, rate, subtype="FLOAT")
        made.append(("wav", damage, file))
    made += [(path.suffix[1:], damage, path) for damage, path in hostile.odd_films(root).items()]
    cases = [
        Case(id=f"h{i:04}", kind=kind, damage=damage, path=path.relative_to(root).as_posix())
        for i, (kind, damage, path) in enumerate(made)
    ]
    rows = [(case.id, case.path, case.path if case.kind in ("mp4", "avi") else "", "train") for case in cases]
    for i in range(GOOD):
        good = hostile.make(root / f"good{i}.avi", 5000 + i).name
        rows.append((f"g{i:02}", good, good, ("train", "val", "test")[i % 3]))
    write_table(
        root,
        [
            {
                "id": clip,
                "audio": audio,
                "video": video,
                "emotion": ("happy", "sad")[i % 2],
                "speaker": f"S{i}",
                "split": part,
            }
            for i, (clip, audio, video, part) in enumerate(rows)
        ],
    )
    return cases


def write_affect(root: Path) -> None:
    """GOOD turns of three speakers; the sound of one turn is damaged, its picture is not."""
    rows = []
    for i in range(GOOD):
        audio, video = (
            hostile.sound(root / f"{i}.wav", 7000 + i),
            hostile.film(root / f"{i}.avi", 8000 + i, heard=False),
        )
        rated = {
            "valence": 1 + i % 5,
            "arousal": 1 + i % 4,
            "speaker": f"T{i % 3}",
            "dialogue": f"d{i % 3}",
            "start": i,
        }
        rows.append({"id": f"t{i:02}", "audio": audio.name, "video": video.name, "end": i + 1} | rated)
    (root / "1.wav").write_bytes(b"")
    write_table(root, rows)


def write_table(root: Path, rows: list[dict]) -> None:
    with (root / "clips.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(rows)


def write_params(max_rejected: float) -> None:
    def merge(into: dict, changes: dict) -> dict:
        for name, value in changes.items():
            deeper = isinstance(value, dict) and isinstance(into.get(name), dict) and name != "views"
            into[name] = merge(into[name], value) if deeper else value
        return into

    made = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    views = made["views"] | CHANGES["views"]
    made = merge(made, CHANGES | {"views": views})
    made["manifest"]["max_rejected"] = max_rejected
    Path("params.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run a stage; its failure ends the benchmark with what it said."""
    done = start(module, *arguments)
    if done.returncode:
        sys.exit(f"{module} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


def start(module: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, errors="backslashreplace")


def stops() -> Tried:
    """Above manifest.max_rejected the manifest stops with a summary."""
    done = start("stages.manifest")
    clear = done.returncode == 1 and "error: " in done.stderr and " are damaged (" in done.stderr
    outcome = "traceback" if "Traceback" in done.stderr else "refused" if clear else "lost"
    return Tried(kind="manifest above max_rejected", damage="", outcome=outcome)


def used_or_listed(cases: list[Case]) -> list[Tried]:
    """What became of each recording's sound and picture, and of the good clips between them."""
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
    told = pd.concat(pd.read_csv(file) for file in Path("data/models/va").glob("*/predictions.csv")).query(
        "split == 'test'"
    )
    outcomes = {True: "refused", False: "used"}
    return tried + [
        Tried(kind="turns (one without sound)", damage="", outcome=outcomes[bool(pd.isna(value))])
        for value in told.valence_predicted
    ]


def rejected(file: Path) -> list[tuple[str, ...]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return [tuple(row) for row in csv.reader(stream)][1:]


def predicted(cases: list[Case]) -> list[Tried]:
    """`commands.predict` on the whole folder: every file is told or left out with a reason."""
    import json

    done = run("commands.predict", "emotion", "--json")
    answer = json.loads(done.stdout)
    told = {of["file"] for of in answer["recordings"]}
    left = {of["file"] for of in answer["failed"] if of["reason"]}
    there = [case for case in cases if case.damage not in ("a folder", "absent")]
    outcomes = [
        "used" if f"emotion/{case.path}" in told else "refused" if f"emotion/{case.path}" in left else "lost"
        for case in there
    ]
    return [Tried(kind="predict", damage=case.damage, outcome=o) for case, o in zip(there, outcomes, strict=True)]


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
