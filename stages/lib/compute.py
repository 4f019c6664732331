"""Where and how fast work runs, never what it computes: worker processes and seeds that ignore them."""

import hashlib
import multiprocessing
import os
import platform
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from tqdm import tqdm

Unit = TypeVar("Unit")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class ComputeParams:
    """Section `compute`. No stage tracks it, because no output depends on it."""

    device: str  # auto, cpu, cuda, cuda:0 ...
    threads: int  # of one training process; fixed, not read from the machine: it may change the last bit of a sum
    workers: int  # processes side by side (extraction, folds); 0 = one per core
    loader_workers: int  # processes that load one training's batches; -1 = automatic, see `loader_workers`
    engine: Literal["local", "ray"]  # where units run: worker processes here, or tasks of a Ray cluster
    address: str | None  # of the Ray cluster; null = the one this machine belongs to

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads is {self.threads}; give 1 or more")
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; give 0 (one per core) or more")
        if self.loader_workers < -1:
            raise ValueError(f"loader_workers is {self.loader_workers}; give -1 (automatic), 0 (none) or more")
        if self.address is not None and self.engine == "local":
            raise ValueError(f"address is {self.address!r}, but engine is local; set engine to ray, or address to null")


def seed_for(*parts: object) -> int:
    """A 63-bit seed from any parts, the same on every machine and in every process.

    Seeding by content (seed, clip id, epoch) instead of by draw order is what makes augmentation
    independent of the number of workers.
    """
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator seeded by seed_for(*parts)."""
    return np.random.default_rng(seed_for(*parts))


def parallel(
    function: Callable[[Unit], Result], units: Sequence[Unit], compute: ComputeParams, label: str
) -> Iterator[Result]:
    """function over units, results in the order of units, with a progress bar: in worker processes or, with
    compute.engine ray, on a cluster (one GPU a unit where compute.device is cuda).

    Args:
        function: a module-level function or functools.partial of one (it is pickled).
        label: what the progress bar counts.

    Raises:
        whatever function raises first, in the order of units; RuntimeError when a worker was
        killed (most often for memory).
    """
    if compute.engine == "ray":
        from stages.lib import cluster

        gpus = int(compute.device.startswith("cuda"))
        yield from progress(cluster.run(function, units, compute.address, gpus), len(units), label)
        return
    workers = max(1, min(len(units), compute.workers or _cores()))
    if workers == 1:
        yield from progress(map(function, units), len(units), label)
        return
    # spawn: a forked child would inherit the thread pools of torch and OpenCV in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            yield from progress(pool.map(function, units), len(units), label)
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"{label}: a worker process was killed; lower compute.workers if memory ran out"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """In a worker: end at once when the process that started it was killed. By itself it would wait for work for ever,
    with its memory."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cores() -> int:
    """Cores this process may use; a container's limit counts where the system tells it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loader_workers(asked: int, data: Path) -> int:
    """Processes for a torch DataLoader: `asked`, or a choice for this machine where it is -1.

    Windows: 0, each would start a new interpreter. WSL: 0 with the data on a mounted Windows drive (slow to share),
    else 2. Linux and others: half the cores, from 2 to 8.
    """
    if asked >= 0:
        return asked
    if sys.platform == "win32":
        return 0
    if "microsoft" in platform.release().lower():  # the kernel of WSL
        return 0 if re.match(r"/mnt/[a-z]/", f"{data.resolve().as_posix()}/") else 2
    return min(8, max(2, _cores() // 2))


def progress(items: Iterable[Result], total: int, label: str) -> Iterator[Result]:
    """items with a progress bar on stderr."""
    return iter(tqdm(items, total=total, desc=label, mininterval=progress_interval(), dynamic_ncols=True))


def progress_interval() -> float:
    """Seconds between updates of a progress bar: few lines where stderr is a file, as in a CI log."""
    return 0.2 if sys.stderr.isatty() else 10.0
