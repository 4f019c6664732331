"""Checks the chain on a GPU against the CPU, and times it: python -m benchmarks.gpu

    check    every stage on the small sample, on the CPU once and on the GPU twice: the GPU repeats its own bytes, and
             its features and first epochs differ from the CPU's by rounding only
    speed    benchmarks.cache with wavlm-base and wavlm-large: extraction in fp32 and bf16 against a loop over single
             utterances, and a step of the last two layers; the VA folds side by side
    corpus   10,000 clips of 4 s from files: manifest, features wavlm, and an epoch of pretrain_audio

Prints Markdown tables for benchmarks/RESULTS.md. It needs neither DVC nor a network; weights are random, which does not
change the time. On a machine without a GPU, `--device cpu` runs the same script.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml

from avemotion.formats.feature_store import FeatureStore
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.system import runtime
from benchmarks import small_project, timing

BEFORE = ("check", "sample", "manifest")  # on the CPU alone
KINDS = ("wavlm", "mel", "frames", "prosody", "speaker")
AFTER = (
    "faces",
    "pretrain_audio",
    "pretrain_face",
    "pretrain_video",
    "fusion",
    "baseline",
    "va",
    "evaluate",
    "transfer",
    "report",
)
# Largest relative distance, in the norm of all rows of a cache: float16 stores to 3e-4, kernels differ by about 1e-6.
FEATURES = 1e-3
LOSS = 0.02  # largest relative difference of the losses of a first epoch
CHAIN = """
import importlib, sys
names, arguments = sys.argv[1].split(","), sys.argv[2:]
for name in names:
    sys.argv = [name, *arguments]
    importlib.import_module(f"stages.{name}").main()
"""
EXACT = {"frames", "prosody"}  # computed on the CPU in any case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="check, speed, corpus; none = all")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=["microsoft/wavlm-base", "microsoft/wavlm-large"])
    parser.add_argument("--clips", type=int, default=10_000, help="of 4 s, in corpus")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement in speed")
    options = parser.parse_args()
    known = {"check": check, "speed": speed, "corpus": corpus}
    for part in options.parts:
        if part not in known:
            parser.error(f"PART is {part!r}; choose from {', '.join(known)}")
    device = runtime.device(options.device)
    print(timing.machine(device), flush=True)
    faults = [fault for part in options.parts or known for fault in known[part](options)]
    sys.exit("\n".join(["", *faults]) if faults else 0)


def check(options: argparse.Namespace) -> list[str]:
    """Run the small chain on both devices; returns what differs by more than it may."""
    with tempfile.TemporaryDirectory() as name:
        start = project(Path(name) / "start", small_project.SMALLEST)
        stages(start, *BEFORE)
        folders = {}
        runs = {"cpu": "cpu", "first": options.device, "second": options.device}
        if options.device == "cpu":  # a CPU against itself needs no third run
            del runs["cpu"]
        for run, device in runs.items():
            folders[run] = Path(shutil.copytree(start, Path(name) / run))
            text = small_project.params(small_project.SMALLEST | {"compute.device": device})
            (folders[run] / "params.yaml").write_text(text, encoding="utf-8")
            began = time.perf_counter()
            stages(folders[run], "features", *AFTER)
            print(f"the small chain on {device}: {time.perf_counter() - began:.0f} s", flush=True)
        first, second = (small_project.digests(folders[run]) for run in ("first", "second"))
        changed = sorted(file for file in first.keys() | second.keys() if first.get(file) != second.get(file))
        faults = [f"{options.device} does not repeat its bytes: {file}" for file in changed]
        return faults + against_cpu(folders[next(iter(runs))], folders["second"])


def against_cpu(cpu: Path, other: Path) -> list[str]:
    """Print how far features and first epochs are from the CPU's; returns those too far away."""
    rows = []
    for kind in KINDS:
        for role in ("emotion", "affect"):
            limit = 0.0 if kind in EXACT else FEATURES
            place = f"data/features/{kind}/{role}"
            rows.append((place, distance(FeatureStore(cpu / place), FeatureStore(other / place)), limit))
    for file in sorted(cpu.glob("data/models/**/history.csv")):
        place = file.relative_to(cpu)
        ours, theirs = (pd.read_csv(root / place)["train_loss"][0] for root in (cpu, other))
        rows.append((f"{place}, first loss", abs(theirs / ours - 1), LOSS))
    print("\n| on both devices | relative difference | at most |\n|---|---:|---:|")
    for place, found, limit in rows:
        print(f"| {place} | {found:.1e} | {limit:g} |", flush=True)
    return [
        f"{place}: {found:.1e} from the CPU's, more than {limit:g}" for place, found, limit in rows if found > limit
    ]


def distance(ours: FeatureStore, theirs: FeatureStore) -> float:
    """The norm of the difference of all rows, relative to the norm of ours."""
    if ours.ids != theirs.ids or ours.missing != theirs.missing:
        return float("inf")
    squares = total = 0.0
    for clip in set(ours.ids) - set(ours.missing):
        for view in ours.views:
            for name in ours.arrays:
                a, b = (np.asarray(store.get(clip, name, view), np.float64) for store in (ours, theirs))
                squares, total = squares + float(np.square(a - b).sum()), total + float(np.square(a).sum())
    return (squares / total) ** 0.5 if total else 0.0


def speed(options: argparse.Namespace) -> list[str]:
    """The tables of benchmarks.cache."""
    for model in options.models:
        command = ["extraction", "training", "--model", model, "--device", options.device]
        module("benchmarks.cache", *command, "--repeats", str(options.repeats))
    module("benchmarks.cache", "folds", "--device", options.device, "--repeats", str(options.repeats))
    return []


def corpus(options: argparse.Namespace) -> list[str]:
    """Seconds of the stages for many clips in files."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), np.random.default_rng(0)
        root = folder / "data/clips"
        root.mkdir(parents=True)
        rows = []
        for i in range(options.clips):
            soundfile.write(root / f"{i:06}.wav", rng.uniform(-0.5, 0.5, 4 * SAMPLE_RATE), SAMPLE_RATE)
            rows.append(f"{i:06},{i:06}.wav,{('happy', 'sad')[i % 2]},s{i // 2 % 8},{(i // 2 % 8) % 4 + 1}")
        (root / "clips.csv").write_text("id,audio,emotion,speaker,split\n" + "\n".join(rows) + "\n", encoding="utf-8")
        project(folder, {"compute.device": options.device, "compute.workers": 0, "views.emotion": []})
        params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        params["corpora"] |= {"emotion": {"name": "csv", "root": "data/clips"}, "affect": None}
        params["manifest"]["emotion"] |= {"split": "given"}
        params["speech"]["model"] = "tiny"
        params["augment"]["audio"]["views"] = {}
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        print(f"\n| {options.clips} clips of 4 s, tiny WavLM | seconds |\n|---|---:|")
        for stage, *arguments in (["manifest"], ["features", "wavlm", "--role", "emotion"], ["pretrain_audio"]):
            began = time.perf_counter()
            stages(folder, stage, arguments=arguments)
            print(f"| {' '.join([stage, *arguments])} | {time.perf_counter() - began:.1f} |", flush=True)
    return []


def project(folder: Path, changes: dict[str, object]) -> Path:
    """A folder with params.yaml of the small project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(small_project.params(changes), encoding="utf-8")
    return folder


def stages(folder: Path, *names: str, arguments: Sequence[str] = ()) -> None:
    """Stages one after another in a process of their own, without DVC."""
    program = [sys.executable, "-c", CHAIN, ",".join(names), *arguments]
    small_project.run(folder, *program, PYTHONPATH=str(small_project.ROOT))


def module(name: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", name, *arguments], cwd=small_project.ROOT, check=True)


if __name__ == "__main__":
    main()
