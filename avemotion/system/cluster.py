"""Units of work as tasks of a Ray cluster: the engine behind `compute.engine: ray`.

The project's folder and the recordings must lie at the same path on every node (shared storage), and every node needs
the project's environment. A unit writes whole files or nothing, so Ray can restart the unfinished units of a lost node
elsewhere. Finished units are not repeated.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")

PROJECT = Path(__file__).resolve().parents[2]  # the project: avemotion, stages, commands
RETRIES = 10  # of a unit whose node or process was lost


def run(function: Callable[[Unit], Result], units: Sequence[Unit], address: str | None, gpus: int) -> Iterator[Result]:
    """Apply function to units, one CPU and `gpus` GPUs each; yields the results in the order of units.

    Args:
        function: picklable; every node calls it in this process's current folder.
        address: host:6379, ray://host:10001, or None for the cluster this machine belongs to.

    Raises:
        the first error of function, in the order of units.
        ValueError: ray is not installed, or there is no cluster at the address.
        RuntimeError: a unit was lost more than RETRIES times.
    """
    ray = _connected(address)
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_in_folder)
    limit = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))  # enough to keep every node busy
    waiting: deque = deque()
    remaining = iter(units)
    folder, shared = str(Path.cwd()), ray.put(function)
    try:
        while True:
            for unit in remaining:
                waiting.append(task.remote(folder, shared, unit))
                if len(waiting) >= limit:
                    break
            if not waiting:
                return
            yield ray.get(waiting.popleft())
    except ray.exceptions.RayTaskError as error:  # its text is a traceback; its cause has the message alone
        raise (error.cause or error) from None
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"a unit was lost {RETRIES} times, the last time: {error}") from error
    finally:
        for unfinished in waiting:
            ray.cancel(unfinished)


def _connected(address: str | None) -> Any:
    """The module ray, connected to a cluster."""
    try:
        import ray
    except ImportError as error:
        raise ValueError(
            "compute.engine is ray, which is not installed; run with `uv run --extra ray ...`, or set compute.engine "
            "to local"
        ) from error
    if not ray.is_initialized():
        place = address or "this machine (compute.address is null)"
        hint = "start one with `ray start --head` or name one in compute.address"
        if address:
            host, _, port = address.removeprefix("ray://").rpartition(":")
            try:  # without this check ray retries for minutes
                socket.create_connection((host, int(port)), timeout=10).close()
            except (OSError, ValueError, OverflowError) as error:
                raise ValueError(f"no Ray cluster at {place} ({error}); {hint}") from error
        path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            ray.init(address or "auto", runtime_env={"env_vars": {"PYTHONPATH": path}}, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ValueError(f"no Ray cluster at {place} ({error}); {hint}") from error
    return ray


def _in_folder(folder: str, function: Callable[[Unit], Result], unit: Unit) -> Result:
    os.chdir(folder)  # all data paths are relative
    return function(unit)
