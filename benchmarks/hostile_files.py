"""Damaged label files, params, checkpoints, noise recordings and caches: each must give one clear error line."""

import contextlib
import io
import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file

from avemotion.corpora import csv, iemocap
from avemotion.features.parts import noise
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.fusion.build import build_fusion
from avemotion.params import evaluate, features, fusion, manifest, pretrain_audio, pretrain_video, va, whole
from avemotion.prediction import trained_models
from avemotion.system import cli, params_file
from avemotion.training.fusion import phases
from benchmarks import hostile

RATINGS = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n" + "".join(
    f"[{i}.0000 - {i}.9000]\tSes01F_impro01_F00{i}\tneu\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\n\n"
    for i in range(9)
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One hostile input and its outcome."""

    kind: str
    damage: str
    outcome: Literal["used", "refused", "traceback", "lost"]


def outcome(work: Callable[[], object]) -> str:
    """Run work like a stage: used, refused with one clear line, or a traceback."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            cli.run(work)
        except SystemExit as end:
            return "refused" if str(end.code).startswith("error: ") else "traceback"
        except BaseException:
            return "traceback"
    return "used"


def try_all(root: Path) -> list[Tried]:
    """All trials, in a folder with finished outputs of the chain; root: of the project."""
    parts = {
        "labels (txt)": _ratings(),
        "labels (csv)": _table(),
        "params.yaml": _params(root),
        "checkpoint, a file": _weights(),
        "checkpoint, a folder": _folders(),
        "noise.wav": _noise(),
        "cache (frames, mel)": _cache(),
    }
    return [Tried(kind=kind, damage=damage, outcome=result) for kind, part in parts.items() for damage, result in part]


Outcomes = Iterator[tuple[str, str]]  # damage, outcome


def _written(file: Path, valid: bytes, foreign: dict[str, bytes], work: Callable[[], object]) -> Outcomes:
    """The outcome of work for every damage of a file, and for paths that cannot be opened."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for damage, content in hostile.damaged(valid, foreign, seed=9):
        file.write_bytes(content)
        yield damage, outcome(work)
    for damage, path in hostile.unopenable(file.parent / "unopenable", file.suffix).items():
        file.unlink(missing_ok=True)
        file.symlink_to(path.absolute())
        yield damage, outcome(work)
    file.unlink()
    shutil.rmtree(file.parent / "unopenable")
    file.write_bytes(valid)


def _ratings() -> Outcomes:
    root = Path("ratings")
    for i in range(9):
        hostile.sound(root / f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F00{i}.wav", i)
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    options = iemocap.Params(parts=["impro"], wearer_side="left")

    def work() -> None:
        turns, rejects = iemocap.list_clips(root, options)
        assert len(turns) == 9 or rejects, "a turn is neither returned nor rejected"
        if len(turns) < 9:
            raise ValueError("; ".join(reject.reason for reject in rejects))

    foreign = {"utf-16": RATINGS.encode("utf-16"), "windows": RATINGS.replace("\n", "\r\n").encode()}
    yield from _written(file, RATINGS.encode(), foreign, work)


def _table() -> Outcomes:
    root, text = Path("table"), Path("emotion/clips.csv").read_bytes()
    options = csv.Params(table="clips.csv", scale=[1.0, 5.0], cut_video=False)
    foreign = {"utf-16": text.decode().encode("utf-16"), "semicolons": text.replace(b",", b";")}
    yield from _written(root / "clips.csv", text, foreign, lambda: csv.list_clips(root, options))


def _params(root: Path) -> Outcomes:
    file, text = Path("damaged/params.yaml"), (root / "params.yaml").read_bytes()
    foreign = {
        "duplicate key": text + b"\nseed: 3\n",
        "tab": text.replace(b"  mode:", b"\tmode:"),
        "latin-1": text + "# \xe9".encode("latin-1"),
        "utf-16": text.decode().encode("utf-16"),
        "wrong types": text.replace(b"epochs: 30", b"epochs: many").replace(
            b"max_rejected: 0.02", b"max_rejected: [1]"
        ),
        "object": text + b"\nmore: !!python/object/apply:os.getcwd []\n",
        "a list": b"- 1\n- 2\n",
    }
    stages: list[Callable] = [one.configure for one in (manifest, pretrain_audio, pretrain_video, fusion, va, evaluate)]
    stages += [partial(features.configure, kind=kind, role="emotion") for kind in features.kinds()]
    stages.append(lambda path: whole.refuse(whole.read(path)))  # the stage check
    for configure in stages:

        def work(configure: Callable = configure) -> None:
            params_file._parse.cache_clear()
            configure(file)

        yield from _written(file, text, foreign, work)


class _Creates:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("harmed"),)


def _weights() -> Outcomes:
    """fusion.audio_checkpoint as a file."""
    architecture = json.loads(Path("data/models/fusion/model.json").read_text())["architecture"]
    weights = {
        k.removeprefix("audio."): v
        for k, v in load_file("data/models/fusion/model.safetensors").items()
        if k.startswith("audio.")
    }
    broken = {"NaN": torch.nan, "inf": torch.inf}
    encoder = {key: value for key, value in sorted(weights.items()) if not key.startswith("classifier.")}
    name = next(key for key, value in encoder.items() if value.is_floating_point())
    states = {why: weights | {name: torch.full_like(weights[name], value)} for why, value in broken.items()}
    states |= {"wrong shape": weights | {name: torch.zeros(3, 5, 7)}, "other names": {"x": torch.zeros(2)}}

    def stored(suffix: str, state: object) -> bytes:
        place = Path(f"stored{suffix}")
        save_file(state, place) if suffix == ".safetensors" else torch.save(state, place)
        return place.read_bytes()

    for suffix, other in ((".safetensors", ".pt"), (".pt", ".safetensors")):
        file = Path(f"weights/model{suffix}")
        foreign = {"other": stored(other, weights)} | {why: stored(suffix, state) for why, state in states.items()}
        foreign["malicious pickle"] = pickle.dumps({"w": _Creates()})
        if suffix == ".pt":
            foreign["malicious zip"] = stored(suffix, {"model": {"w": _Creates()}})

        def work(file: Path = file) -> None:
            phases.warm_start(build_fusion(**architecture).audio, file, [], None)

        yield from _written(file, stored(suffix, weights), foreign, work)
    yield "malicious pickle", "traceback" if Path("harmed").exists() else "refused"


def _folders() -> Outcomes:
    """The folder data/models/fusion, with weights and arguments."""
    home = Path("data/models/fusion")
    kept = {file.name: file.read_bytes() for file in home.iterdir()}

    def work() -> None:
        trained_models.load(torch.device("cpu"))

    foreign = {
        "list": b"[]",
        "null": b"null",
        "deep": b"[" * 100000,
        "no arguments": b"{}",
        "other": b'{"architecture": {}}',
    }
    for name in ("model.safetensors", "model.json"):
        yield from _written(home / name, kept[name], foreign if name.endswith("json") else {}, work)
    yield "whole", outcome(work)


def _noise() -> Outcomes:
    valid = hostile.sound(Path("noise.wav"), 77, seconds=3.0).read_bytes()
    odd = {}
    for damage, (samples, rate) in hostile.odd_sounds().items():
        soundfile.write("odd.wav", samples, rate, subtype="FLOAT")
        odd[damage] = Path("odd.wav").read_bytes()

    def work() -> None:
        noise._recording.cache_clear()
        views = noise.configure(Path("params.yaml"), "emotion").make(np.ones(16000, np.float32), "clip")
        assert np.isfinite(views).all()

    yield from _written(noise.RECORDING, valid, odd, work)
    noise.RECORDING.unlink()


def _cache() -> Outcomes:
    for kind in ("frames", "mel"):
        for file in sorted(Path("data/features", kind, "emotion").iterdir()):
            if file.suffix in (".npy", ".json"):
                yield from _written(file, file.read_bytes(), {}, lambda file=file: FeatureStore(file.parent).verify())
