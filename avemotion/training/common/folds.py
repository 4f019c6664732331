"""One model a fold: folds side by side in worker processes, finished ones kept across a kill.

A finished fold is a folder in `work`, below a key of all that it depends on, until all of them move to the stage's
outs together: DVC deletes outs before a stage runs.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from avemotion.params.shared.compute import ComputeParams
from avemotion.system.compute import parallel
from avemotion.system.outputs import whole_folder


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Test on fold `test`, select on fold `val`, train on all others."""

    test: int
    val: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"fold_{self.test}"

    def parts(self, split: pd.Series) -> pd.Series:
        """Column `split` of labels.csv, which holds fold numbers as text -> train, val or test of each row."""
        return split.map({str(self.test): "test", str(self.val): "val"}).fillna("train")


def cyclic(folds: Sequence[int]) -> list[Fold]:
    """Each fold tests once, validated on the next one.

    Raises:
        ValueError: fewer than three folds.
    """
    if len(folds) < 3:
        raise ValueError(f"the manifest has {len(folds)} folds, but test, validation and training need 3")
    return [Fold(test=test, val=val) for test, val in zip(folds, [*folds[1:], folds[0]], strict=True)]


def train_all(
    train: Callable[[Fold, Path], None], folds: Sequence[Fold], key: str, work: Path, out: Path, compute: ComputeParams
) -> None:
    """Leave out/<fold.name>/ for every fold.

    Args:
        train: (fold, empty folder) -> None, writes the fold's files into the folder; picklable. It sets up its own
            seed and runs on one thread, so that the bytes do not depend on how many folds run side by side.
        key: names the folder of finished folds in `work`; see `key_of`.
    """
    kept = work / key
    finished = sum((kept / fold.name).is_dir() for fold in folds)
    print(f"{out.name}: {len(folds)} folds" + (f", {finished} finished before" if finished else ""))
    for _ in parallel(partial(_train_one, train, kept), folds, compute, "folds"):
        pass
    with whole_folder(out) as folder:
        for fold in folds:  # copied: a kill, or a full disk, between two of them loses none
            shutil.copytree(kept / fold.name, folder / fold.name)
    shutil.rmtree(work)


def _train_one(train: Callable[[Fold, Path], None], kept: Path, fold: Fold) -> None:
    if not (kept / fold.name).is_dir():
        with whole_folder(kept / fold.name) as folder:
            train(fold, folder)


def first(folder: Path) -> Path:
    """The model in a stage's folder: folder itself, or that of the first fold where it holds one a fold."""
    numbered = sorted(folder.glob("fold_*"), key=lambda path: int(path.name.removeprefix("fold_")))
    return numbered[0] if numbered else folder


def key_of(parts: Iterable[object], inputs: Iterable[Path]) -> str:
    """A name that changes with any of parts (by their repr) and with any byte of inputs (files or folders)."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(repr(part).encode() + b"\0")
    files = {file for path in inputs for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()}
    for file in sorted(files):
        digest.update(file.as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
