"""What every stage's command line shares: the --params option and one-line errors."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with --params; description is the stage's docstring."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--params", type=Path, default=Path("params.yaml"), help="params file (default: params.yaml)")
    return made


def run(main: Callable[[], None]) -> None:
    """Run a stage; a user's mistake (ValueError) ends it with one clear line instead of a traceback."""
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
