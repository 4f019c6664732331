"""Training of one model per fold: folds run in parallel worker processes, and a killed run keeps its finished folds.

DVC deletes the outs of a stage before the stage runs. A finished fold is therefore stored in `work`, under a key of all
its inputs, until all folds are complete and are copied to the out. Beside it lies the state of a training in progress
(resume.py). A stage without folds trains in the same way, as a single one.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from avemotion.formats.labels import CorpusFacts
from avemotion.params.shared.compute import ComputeParams
from avemotion.system.outputs import whole_folder
from avemotion.system.workers import parallel

WHOLE = "model"  # name of the folder of a model without folds in `work`
EPOCH = ".epoch"  # suffix of the file with the state of a training, whose name else is that of its unfinished folder


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Test on fold `test`, validate on fold `val`, train on all others."""

    test: int
    val: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"fold_{self.test}"

    def parts(self, split: pd.Series) -> pd.Series:
        """Column `split` of labels.csv, fold numbers as text -> train, val or test of each row."""
        return split.map({str(self.test): "test", str(self.val): "val"}).fillna("train")


def plan(facts: CorpusFacts) -> list[Fold]:
    """Each fold is the test fold once; the fold after it validates, or the one that the protocol names.

    Raises:
        ValueError: fewer than three folds.
    """
    if len(facts.folds) < 3:
        raise ValueError(f"the manifest has {len(facts.folds)} folds, but test, validation and training need 3")
    return [Fold(test=fold, val=facts.validation_of(fold)) for fold in facts.folds]


def train_all(
    train: Callable[[Fold, Path], None], folds: Sequence[Fold], key: str, work: Path, out: Path, compute: ComputeParams
) -> None:
    """Train every fold and write out/<fold.name>/.

    Args:
        train: (fold, empty folder) -> None, writes the fold's files into the folder; picklable. It sets its own seed
            and runs on one thread, so that the bytes do not depend on the number of parallel folds.
        key: name of the folder of finished folds in `work`; see `key_of`.
    """
    kept = work / key
    finished = sum((kept / fold.name).is_dir() for fold in folds)
    print(f"{out.name}: {len(folds)} folds" + (f", {finished} finished before" if finished else ""))
    for _ in parallel(partial(_train_one, train, kept), folds, compute, "folds"):
        pass
    with whole_folder(out) as folder:
        for fold in folds:  # copies, so that a kill or a full disk loses no finished fold
            shutil.copytree(kept / fold.name, folder / fold.name)
    shutil.rmtree(work)


def train_whole(train: Callable[[Path], None], key: str, work: Path, out: Path) -> None:
    """Train the one model of a stage without folds and write it to `out`; arguments as for train_all."""
    _kept(train, work / key / WHOLE)
    with whole_folder(out) as folder:
        shutil.copytree(work / key / WHOLE, folder, dirs_exist_ok=True)
    shutil.rmtree(work)


def train_alone(train: Callable[[Fold, Path], None], folds: Sequence[Fold], number: int, kept: Path, out: Path) -> None:
    """Train the fold that tests on `number` and replace out/<fold.name>/; other folds in `out` stay as they are.

    Args:
        kept: folder of finished folds, work / key of `train_all`, which does not train this fold again.

    Raises:
        ValueError: there is no such fold.
    """
    fold = next((fold for fold in folds if fold.test == number), None)
    if fold is None:
        raise ValueError(f"--fold is {number}; the folds are {', '.join(str(fold.test) for fold in folds)}")
    _train_one(train, kept, fold)
    with whole_folder(out / fold.name) as folder:
        shutil.copytree(kept / fold.name, folder, dirs_exist_ok=True)
    print(f"{out / fold.name}: trained; the other folds are as they were")


def _train_one(train: Callable[[Fold, Path], None], kept: Path, fold: Fold) -> None:
    _kept(partial(train, fold), kept / fold.name)


def _kept(train: Callable[[Path], None], finished: Path) -> None:
    if not finished.is_dir():
        with whole_folder(finished) as folder:
            train(folder)
        folder.with_suffix(EPOCH).unlink(missing_ok=True)


def first(folder: Path) -> Path:
    """The folder of a stage's model, or of its first fold's model where the stage has folds."""
    numbered = sorted(folder.glob("fold_*"), key=lambda path: int(path.name.removeprefix("fold_")))
    return numbered[0] if numbered else folder


def key_of(parts: Iterable[object], inputs: Iterable[Path]) -> str:
    """A digest of parts (by their repr) and of all bytes of inputs (files or folders)."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(repr(part).encode() + b"\0")
    files = {file for path in inputs for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()}
    for file in sorted(files):
        digest.update(file.as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
