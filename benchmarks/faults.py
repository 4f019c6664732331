"""Effects of kills, full disks, read-only folders, two runs at once and wrong clocks on the chain; none may last.

    kills      `dvc repro`, killed with SIGKILL in every stage at random times, then run to its end
    disk       a full file system of a few MB, stage by stage (mounts a tmpfs: root, or `unshare -Urm`)
    readonly   folders and DVC's cache on a read-only file system (likewise)
    twice      two `dvc repro` at once, and each stage twice at once without DVC
    clock      the clock a day back between two runs, files from the future, changed files with an older time

Each part runs on the smallest sample, in clones of this repository, and compares all bytes of all outputs with those of
an undisturbed run. It prints Markdown tables for benchmarks/ROBUSTNESS.md; the exit status is 1 if a byte differs.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from benchmarks import fault_disk, small_project

PARTS = {
    "kills": "fault_kills",
    "disk": "fault_disk",
    "readonly": "fault_disk",
    "twice": "fault_time",
    "clock": "fault_time",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none = all")
    parser.add_argument("--kills", type=int, default=42, help="number of kills; 42 are two in each of the 21 stages")
    parser.add_argument("--seed", type=int, default=0, help="seed of the times")
    parser.add_argument("--folder", type=Path, help="working folder; a finished undisturbed run in it is reused")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"PART is {part!r}; choose from {', '.join(PARTS)}")
    if not {"disk", "readonly"}.isdisjoint(options.parts or PARTS):
        fault_disk.private_mounts()
    with tempfile.TemporaryDirectory() as name:
        folder = (options.folder or Path(name)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        calm = undisturbed(folder / "calm")
        wrong = 0
        for part in options.parts or PARTS:
            wrong += getattr(importlib.import_module(f"benchmarks.{PARTS[part]}"), part)(options, folder, calm)
    sys.exit(wrong > 0)


def undisturbed(folder: Path) -> Path:
    """A clone with a finished `dvc repro`; beside it is the log, with the seconds of every line."""
    log = folder.with_suffix(".log")
    if not log.is_file():
        small_project.clone(folder, small_project.SMALLEST)
        lines = small_project.timed(folder)
        log.write_text("".join(f"{seconds:.1f} {line}\n" for seconds, line in lines), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
