"""What a kill, a full disk, read-only folders, two runs at once and a wrong clock do to the chain: nothing that lasts.

    kills      `dvc repro`, killed with SIGKILL in every stage at random times, then run to its end
    disk       a file system of a few MB that fills up, stage by stage (mounts a tmpfs: root, or `unshare -Urm`)
    readonly   folders and DVC's cache on a file system that refuses writes (likewise)
    twice      two `dvc repro` at once, and each stage twice at once without DVC
    clock      the clock a day back between two runs, files from the future, changed files that look older

Each runs on the smallest sample, in clones of this repository, and compares every byte of every output with those of an
undisturbed run. Prints Markdown tables for benchmarks/ROBUSTNESS.md; ends with exit status 1 if a byte differs.
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
    parser.add_argument("--kills", type=int, default=36, help="how many; two in each of the 18 stages")
    parser.add_argument("--seed", type=int, default=0, help="of the times")
    parser.add_argument("--folder", type=Path, help="where to work; a finished undisturbed run there is used again")
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
    """A clone in which `dvc repro` ran to its end; its log with the seconds of every line lies beside it."""
    log = folder.with_suffix(".log")
    if not log.is_file():
        small_project.clone(folder, small_project.SMALLEST)
        lines = small_project.timed(folder)
        log.write_text("".join(f"{seconds:.1f} {line}\n" for seconds, line in lines), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
