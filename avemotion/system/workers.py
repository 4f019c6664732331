"""Worker processes and progress bars."""

import multiprocessing
import os
import platform
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Protocol, TypeVar

from tqdm import tqdm

Unit = TypeVar("Unit")
Result = TypeVar("Result")


class Compute(Protocol):
    """Where and how fast work runs; ComputeParams (section `compute`) describes the fields."""

    @property
    def device(self) -> str: ...

    @property
    def threads(self) -> int: ...

    @property
    def workers(self) -> int: ...

    @property
    def engine(self) -> str: ...

    @property
    def address(self) -> str | None: ...


def parallel(
    function: Callable[[Unit], Result], units: Sequence[Unit], compute: Compute, label: str
) -> Iterator[Result]:
    """Apply function to units with a progress bar; yields the results in the order of units.

    Units run in worker processes or, with compute.engine ray, on a cluster (one GPU a unit where compute.device is
    cuda).

    Args:
        function: a module-level function or functools.partial of one (it is pickled).
        label: the name of the units in the progress bar.

    Raises:
        the first error of function, in the order of units.
        RuntimeError: a worker process was killed (most often for memory).
    """
    if compute.engine == "ray":
        from avemotion.system import cluster

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
    """End this worker when the process that started it is killed; otherwise it would wait for work for ever and keep
    its memory."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this process is no worker"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cores() -> int:
    """Cores that this process may use; includes a container's limit where the system reports it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loader_workers(requested: int, data: Path) -> int:
    """Number of processes of a torch DataLoader: `requested`, or a number for this machine where it is -1.

    Windows: 0, because each process would start a new interpreter. WSL: 0 with the data on a mounted Windows drive
    (slow to share), else 2. Linux and others: half the cores, from 2 to 8.
    """
    if requested >= 0:
        return requested
    if sys.platform == "win32":
        return 0
    if "microsoft" in platform.release().lower():  # the kernel of WSL
        return 0 if re.match(r"/mnt/[a-z]/", f"{data.resolve().as_posix()}/") else 2
    return min(8, max(2, _cores() // 2))


def progress(items: Iterable[Result], total: int, label: str) -> Iterator[Result]:
    """items with a progress bar on stderr."""
    return iter(tqdm(items, total=total, desc=label, mininterval=progress_interval(), dynamic_ncols=True))


def progress_interval() -> float:
    """Seconds between updates of a progress bar; longer where stderr is a file, so that a CI log has few lines."""
    return 0.2 if sys.stderr.isatty() else 10.0
