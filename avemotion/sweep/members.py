"""Runs the members of a grid as DVC experiments, each in a copy of the project, and brings them into the project."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from avemotion.sweep import copies, failure_reason, stage_seconds
from avemotion.sweep.plan import Member
from avemotion.sweep.project import Project, environment, git

LOGS = "logs"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A member without an experiment: why, and the file with all that DVC and the stages printed."""

    member: Member
    reason: str
    log: Path


@contextmanager
def only_sweep(project: Project) -> Iterator[Path]:
    """Yields the folder of the project's sweep, for one process at a time; the system frees the lock of a killed one.

    Raises:
        ValueError: another sweep runs in this project, or this is Windows.
    """
    import filelock

    if sys.platform == "win32":
        raise ValueError("sweeps need links and process groups; run them on Linux or macOS, or in WSL")
    folder = project.root / copies.FOLDER
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    owner, lock = folder / "running", filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "unknown"
        raise ValueError(
            f"another sweep runs in this project ({who}); wait until it ends, then the same command goes on from what "
            "it finished; --dry-run works meanwhile"
        ) from None
    try:
        owner.write_text(f"process {os.getpid()}: {' '.join(sys.argv[1:])}\n", encoding="utf-8")
        yield folder
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def run(
    project: Project,
    members: Sequence[Member],
    targets: Sequence[str],
    jobs: int,
    watched: Callable[[Iterator[Future[Failure | None]]], Iterator[Future[Failure | None]]],
) -> list[Failure]:
    """Run members in their order, `jobs` at a time. A failed one does not stop the others, and none is run twice.

    Args:
        watched: passes the members on as they end, such as a progress bar.

    Returns:
        the failures, in the order of members.
    """
    folder = project.root / copies.FOLDER
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for i in range(jobs):
        free.put(i)
    runner = _Runner(project, folder, targets)

    def one(member: Member) -> Failure | None:
        place = free.get()
        try:
            return runner.run(member, folder / f"copy_{place}")
        finally:
            free.put(place)

    pool = ThreadPoolExecutor(jobs)
    try:
        waiting = [pool.submit(one, member) for member in members]
        for done in watched(as_completed(waiting)):
            done.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        runner.stop()
        raise
    finally:
        pool.shutdown()
    return [failure for future in waiting if (failure := future.result())]


class _Runner:
    """Runs single members; `stop` ends them all."""

    def __init__(self, project: Project, folder: Path, targets: Sequence[str]):
        self._project, self._folder, self._targets = project, folder, targets
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()  # of the set, of the times, and of git in the project
        self._stopped = False

    def run(self, member: Member, copy: Path) -> Failure | None:
        log = self._folder / LOGS / f"{member.name}.log"
        lock = copy.with_name(f"{copy.name}.lock")
        try:
            _wait_for(lock)
            copies.renew(self._project, copy, member.inputs, member.outs)
        except (ValueError, OSError) as error:
            log.write_text(f"{error}\n", encoding="utf-8")
            return Failure(member=member, reason=str(error), log=log)
        arguments = ["exp", "run", "--name", member.name]
        arguments += [part for assignment in member.setting for part in ("-S", assignment)]
        code, reason = self._dvc(copy, lock, [*arguments, *self._targets], log)
        reference = f"refs/exps/{self._project.head[:2]}/{self._project.head[2:]}/{member.name}"
        if code:
            return Failure(member=member, reason=reason or f"DVC ended with {code}", log=log)
        # +: an experiment of this name has the same params, code and inputs; the cache has lost its outputs.
        fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(copy), f"+{reference}:{reference}"]
        try:
            with self._lock:
                git(self._project.root, *fetch)
        except ValueError as error:
            return Failure(member=member, reason=f"its experiment cannot be fetched: {error}", log=log)
        return None

    def _dvc(self, copy: Path, lock: Path, arguments: list[str], log: Path) -> tuple[int, str]:
        """Exit code and last line of an error."""
        script = Path(__file__).with_name("one_run.py")
        command = [sys.executable, "-P", str(script), str(os.getpid()), str(lock), *arguments]
        clock, reason = stage_seconds.Clock(), failure_reason.Reason()
        with self._lock:
            if self._stopped:
                return 1, "not started"
            process = subprocess.Popen(
                command,
                cwd=copy,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="backslashreplace",
                start_new_session=True,  # Ctrl-C reaches the sweep alone, which ends its runs
            )
            self._processes.add(process)
        with log.open("w", encoding="utf-8") as stream:
            stream.write(f"dvc {' '.join(arguments)}\n")
            assert process.stdout is not None
            for line in process.stdout:
                stream.write(line)
                stream.flush()
                clock.read(line)
                reason.read(line)
        code = process.wait()
        with self._lock:
            self._processes.discard(process)
            if clock.seconds:
                stage_seconds.add(self._folder, clock.seconds)
        return code, reason.text

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._processes:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(lock: Path) -> None:
    """Until a run whose sweep was killed has left the copy."""
    import filelock

    with filelock.FileLock(lock):
        pass
