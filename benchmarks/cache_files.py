"""Reading, folds and `dvc repro`: the parts of benchmarks.cache that depend on the files of the cache."""

import json
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from avemotion.formats import feature_store
from avemotion.formats.targets import USUAL
from avemotion.models.va.model import VAArchitecture, VAModel
from avemotion.params import va
from avemotion.params.shared.compute import ComputeParams
from avemotion.system import runtime
from avemotion.system.workers import parallel
from avemotion.training.common import loop
from avemotion.training.va import architecture, objective
from avemotion.training.va.losses import VALoss, Weights
from avemotion.training.va.turn_batches import turn_dataset
from benchmarks.timing import interleaved, line

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
WIDTH, BATCH = 768, 16
CPU = torch.device("cpu")


def reading(options: Namespace, device: torch.device) -> None:
    """Random batches against reading the whole file in order, and reading as a share of an epoch of the VA model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "wavlm"
        write_states(folder, options.clips, options.seconds)
        cache = feature_store.FeatureStore(folder)
        file = folder / "last.npy"
        size = file.stat().st_size
        order = np.random.default_rng(1).permutation(cache.ids).tolist()
        buffer = np.empty(1 << 24, np.uint8)

        def sequential() -> None:
            with file.open("rb", buffering=0) as stream:
                while stream.readinto(buffer):
                    pass

        lengths = {clip: cache.length(clip, "last") for clip in order}
        buffer_of_a_batch = np.empty((BATCH, max(lengths.values()), WIDTH), np.float16)

        def batches(fresh: bool) -> None:
            for start in range(0, len(order), BATCH):
                clips = order[start : start + BATCH]
                longest = max(lengths[clip] for clip in clips)
                rows = np.empty((BATCH, longest, WIDTH), np.float16) if fresh else buffer_of_a_batch[:, :longest]
                for i, clip in enumerate(clips):
                    states = cache.get(clip, "last")
                    rows[i, : len(states)] = states
                    rows[i, len(states) :] = 0

        rivals = {"sequential": sequential, "fresh": partial(batches, True), "reused": partial(batches, False)}
        median = interleaved(rivals, options.repeats, CPU)
        gib = size / 2**30
        for kind, where in (("reused", "one buffer"), ("fresh", "a new array each: the system clears its pages")):
            detail = (
                f"{gib / median[kind]:.1f} GiB/s of {gib:.1f} GiB, batches of {BATCH} clips of {options.seconds:g} s, "
            )
            detail += f"padded into {where}; the files' pages warm"
            line("random batches / sequential rate", median["sequential"] / median[kind], "0.80", detail)

        turns, rows = dialogues(Path(name) / "turns", options.turns)
        batching = architecture.batching(va.configure(PARAMS).va)
        data = turn_dataset(turns, rows, USUAL, True)
        rivals = {
            "reading": lambda: [None for _ in batching.training(data, 0)(1)],
            "epoch": partial(train, Path(name) / "turns", options.turns, str(device)),
        }
        median = interleaved(rivals, options.repeats, device)
        share = median["reading"] / median["epoch"]
        line("reading's share of a VA epoch", share, "≤ 0.10", f"{options.turns} turns, {device.type}")


def folds(options: Namespace, device: torch.device) -> None:
    """Five trainings of the VA model, one epoch each, by avemotion.system.workers.parallel."""
    with tempfile.TemporaryDirectory() as name:
        dialogues(Path(name) / "turns", options.turns)
        unit = partial(_fold, Path(name) / "turns", options.turns)

        def run(workers: int) -> None:
            compute = ComputeParams(
                device="cpu",
                threads=1,
                workers=workers,
                loader_workers=0,
                engine="local",
                address=None,
                tensorboard=False,
            )
            list(parallel(unit, range(5), compute, "folds"))

        workers = options.workers or os.cpu_count() or 1
        rivals = {"one": partial(run, 1), "many": partial(run, workers)}
        median = interleaved(rivals, options.repeats, CPU)
        detail = f"{workers} processes, one thread each; {median['one']:.0f} s against {median['many']:.0f} s"
        line("five folds side by side", median["one"] / median["many"], "1.6x on 2 cores", detail)


def repro(options: Namespace, device: torch.device) -> None:
    """`dvc repro` with nothing to do, with few large files and with one a clip."""
    with tempfile.TemporaryDirectory() as name:
        projects = {layout: project(Path(name) / layout, layout, options) for layout in ("ours", "file_a_clip")}
        rivals = {layout: partial(dvc, folder, "repro") for layout, folder in projects.items()}
        median = interleaved(rivals, options.repeats, CPU)
        detail = f"{median['ours']:.1f} s with {options.clips} clips (goal: 10 s at most); nothing had changed"
        line("no-op dvc repro / one file a clip", median["file_a_clip"] / median["ours"], "≤ 10 s", detail)


def write_states(folder: Path, clips: int, seconds: float) -> None:
    """A cache of `last` [T, 768] float16, T from half to one and a half of the mean length."""
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((max(2, round(150 * seconds)), WIDTH), np.float32).astype(np.float16)

    def rows() -> Iterator[tuple[str, feature_store.Views]]:
        for i in range(clips):
            count = int(rng.integers(max(1, round(25 * seconds)), round(75 * seconds) + 1))
            yield f"{i:08}", {feature_store.CLEAN: {"last": pool[:count]}}

    feature_store.write(folder, [feature_store.CLEAN], rows(), {"hop_seconds": 0.02})


def dialogues(folder: Path, turns: int) -> tuple[feature_store.FeatureStore, pd.DataFrame]:
    """Turns of 3 s in dialogues of 40, with random inputs of the real sizes."""
    rng = np.random.default_rng(0)
    ids = [f"d{i // 40:04}_{i % 40:02}" for i in range(turns)]
    if not folder.exists():
        content = (
            {
                "speech": rng.standard_normal((150, WIDTH), np.float32).astype(np.float16),
                "prosody": rng.standard_normal((1, 88), np.float32),
                "speaker": rng.standard_normal((1, 192), np.float32),
                "fused": rng.standard_normal((1, 256), np.float32),
            }
            for _ in ids
        )
        clips = ((clip, {feature_store.CLEAN: arrays}) for clip, arrays in zip(ids, content, strict=True))
        feature_store.write(folder, [feature_store.CLEAN], clips, {"hop_seconds": 0.02})
    columns = {"id": ids, "dialogue": [clip[:5] for clip in ids], "turn": [i % 40 for i in range(turns)]}
    rows = pd.DataFrame(columns | {"start": [float(i % 40) for i in range(turns)], "speaker": "s", "split": "1"})
    return feature_store.FeatureStore(folder), rows.assign(
        valence=rng.uniform(1, 5, turns), arousal=rng.uniform(1, 5, turns)
    )


def train(folder: Path, turns: int, device: str) -> None:
    """One epoch of the VA model with the project's params."""
    where = torch.device(device)
    config = va.configure(PARAMS)
    p = config.va
    cache, rows = dialogues(folder, turns)
    data = turn_dataset(cache, rows, USUAL, True)
    sizes = {name: cache.dim(name)[0] for name in objective.INPUTS}
    arguments = architecture.architecture(config, sizes, layers=0)
    model = VAModel(VAArchitecture(**arguments | {"top": None}))
    objective.standardize(model, data)
    model.to(where)
    loss = objective.Objective(model, VALoss(Weights(ccc=p.ccc_weights, mse=p.mse), p.ccc_memory), where)
    loss.teacher_share = 1.0
    phase = loop.Phase(name="train", epochs=1, prepare=lambda: [{"params": list(model.parameters()), "lr": p.lr}])
    task = loop.Task(
        batches=architecture.batching(p).training(data, 0),
        loss=loss,
        validate=lambda: {"loss": 0.0, "score": 0.0},
        label="epoch",
    )
    loop.fit(model, task, [phase], p, where)


def _fold(folder: Path, turns: int, fold: int) -> None:
    compute = ComputeParams(
        device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None, tensorboard=False
    )
    runtime.setup(fold, compute, threads=1)
    train(folder, turns, "cpu")


def project(folder: Path, layout: str, options: Namespace) -> Path:
    """A DVC project with one finished stage, whose out is the cache."""
    cache = folder / "data" / "wavlm"
    cache.parent.mkdir(parents=True)
    write_states(cache, options.clips, options.seconds)
    if layout == "file_a_clip":
        whole = feature_store.FeatureStore(cache)
        content = {clip: np.array(whole.get(clip, "last")) for clip in whole.ids}
        for file in cache.iterdir():
            file.unlink()
        for clip, rows in content.items():
            np.save(cache / f"{clip}.npy", rows)
    stage = {"cmd": "true", "outs": [{"data/wavlm": {"persist": True}}]}
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"features": stage}}), encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    dvc(folder, "init", "-q")
    dvc(folder, "repro", "-q")
    return folder


def dvc(folder: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
