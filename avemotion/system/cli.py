"""Parts that all command lines share: the --params option and one-line errors."""

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

from avemotion.system.memory import on_gpu, out_of_memory

Config = TypeVar("Config")


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with --params; description is the stage's docstring."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--params", type=Path, default=Path("params.yaml"), help="params file (default: params.yaml)")
    return options


def configured(
    description: str | None, configure: Callable[[Path], Config], summary: Callable[[Config], dict]
) -> Config:
    """The config of a stage that trains a model; `--summary` prints summary(config) as JSON and ends the program."""
    return _configured(parser(description), configure, summary)[0]


def configured_fold(
    description: str | None, configure: Callable[[Path], Config], summary: Callable[[Config], dict]
) -> tuple[Config, int | None]:
    """As `configured`, with the option `--fold K`: the config, and K or None."""
    options = parser(description)
    options.add_argument("--fold", type=int, metavar="K", help="train the model of this test fold alone")
    config, arguments = _configured(options, configure, summary)
    return config, arguments.fold


def _configured(
    options: argparse.ArgumentParser, configure: Callable[[Path], Config], summary: Callable[[Config], dict]
) -> tuple[Config, argparse.Namespace]:
    options.add_argument("--summary", action="store_true", help="print parameter counts as JSON, without any data")
    arguments = options.parse_args()
    config = configure(arguments.params)
    if arguments.summary:
        print(json.dumps(summary(config), indent=2))
        sys.exit()
    return config, arguments


KEPT = "run again; finished work is kept and earlier outputs are unchanged"
REMEDIES: dict[int | None, str] = dict.fromkeys(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), f"free some space and {KEPT}"
)
REMEDIES |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"correct its permissions and {KEPT}")
REMEDIES |= {errno.EMFILE: f"raise `ulimit -n` and {KEPT}", errno.EIO: f"check the disk and {KEPT}"}


def _end_with_dvc() -> None:
    """End this stage when the DVC process that started it is killed.

    No process would record its outputs, and the next `dvc repro` deletes them. Finished clips and folds lie in another
    folder, so the next run reuses them.
    """
    if "DVC_STAGE" not in os.environ or sys.platform == "win32":
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(main: Callable[[], None], memory: str = "compute.workers") -> None:
    """Run a stage or command, and report foreseeable errors in one line instead of a traceback.

    These are a user's mistake (ValueError), a refusal of the system (a full disk, a folder without write permission),
    a lack of memory and a killed worker process.

    Args:
        memory: params or options to lower where memory runs out.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid UTF-8
    _end_with_dvc()
    try:
        main()
        return
    except Exception as error:
        message = foreseen(error, memory)
        if message is None:
            raise
    gc.collect()  # frees the progress bars that the error referenced: each then ends its line
    sys.exit(f"error: {message}")


def foreseen(error: Exception, memory: str) -> str | None:
    """The line that reports an error; None for one that only a mistake of the program explains."""
    if out_of_memory(error):
        where = "the GPU's memory" if on_gpu(error) else "memory"
        reason = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
        return f"{where} is too small ({reason}); lower {memory}, and {KEPT}"
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, OSError) and (error.filename is not None or error.errno in REMEDIES):
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}; {REMEDIES.get(error.errno, f'correct this and {KEPT}')}"
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, BrokenProcessPool):
        return f"{error}; {KEPT}"
    return None
