"""The process of one run of a sweep: DVC, which ends with the sweep that started it.

Started as a script with the process id of the sweep, a file to lock and the arguments of DVC. A copy of the project
holds one run at a time: a run whose sweep was killed ends within a second, and its successor waits for that.
"""

import os
import signal
import sys
import threading
import time


def end_with(parent: int) -> None:
    """Kill this process group, DVC and its stages, when the parent has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    parent, lock, *arguments = sys.argv[1:]
    end_with(int(parent))
    import filelock

    with filelock.FileLock(lock):
        from dvc.cli import main as dvc

        sys.exit(dvc(arguments))


if __name__ == "__main__":
    main()
