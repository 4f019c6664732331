"""What every stage's command line shares: the --params option and one-line errors."""

import argparse
import errno
import gc
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

Config = TypeVar("Config")


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with --params; description is the stage's docstring."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--params", type=Path, default=Path("params.yaml"), help="params file (default: params.yaml)")
    return made


def configured(
    description: str | None, configure: Callable[[Path], Config], summary: Callable[[Config], dict]
) -> Config:
    """The config of a stage that trains a model; `--summary` prints summary(config) as JSON and ends the program."""
    made = parser(description)
    made.add_argument("--summary", action="store_true", help="print parameter counts as JSON, without any data")
    arguments = made.parse_args()
    config = configure(arguments.params)
    if arguments.summary:
        print(json.dumps(summary(config), indent=2))
        sys.exit()
    return config


KEPT = "run again; what was finished is kept, what was there before is as it was"
REMEDIES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), f"free some space and {KEPT}")
REMEDIES |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"see that you may read and write it and {KEPT}")
REMEDIES |= {errno.EMFILE: f"raise `ulimit -n` and {KEPT}", errno.EIO: f"look after the disk and {KEPT}"}


def _end_with_dvc() -> None:
    """A stage that DVC started ends when that DVC was killed: nobody would record its outputs, and the next `dvc repro`
    deletes them. The clips and folds that it has finished are found again, since they lie elsewhere."""
    if "DVC_STAGE" not in os.environ or sys.platform == "win32":
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(main: Callable[[], None]) -> None:
    """Run a stage; a user's mistake (ValueError), what the system refuses (a full disk, a folder that may not be
    written) or a killed worker process ends it with one clear line instead of a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be valid text
    _end_with_dvc()
    try:
        main()
        return
    except ValueError as error:
        message = f"error: {error}"
    except OSError as error:
        if error.filename is None and error.errno not in REMEDIES:
            raise
        place = f"{error.filename}: " if error.filename is not None else ""
        message = f"error: {place}{error.strerror}; {REMEDIES.get(error.errno, f'put it right and {KEPT}')}"
    except RuntimeError as error:
        if not isinstance(error.__cause__, BrokenProcessPool):
            raise
        message = f"error: {error}; {KEPT}"
    gc.collect()  # the error is gone, and with it the progress bars that it held: they end their line when they go
    sys.exit(message)
