"""What every stage's command line shares: the --params option and one-line errors."""

import argparse
import io
import json
import sys
from collections.abc import Callable
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


def run(main: Callable[[], None]) -> None:
    """Run a stage; a user's mistake (ValueError) ends it with one clear line instead of a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be valid text
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
