"""Times every stage of a first run: python -m benchmarks.first_run

It copies the working tree without results and runs the commands of dvc.yaml in DVC's order, each as a process of its
own. Prints a Markdown table with seconds of wall time and of CPU time (all processes of a stage) and the peak memory of
its largest process. DVC itself adds less than a second a stage.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from avemotion.sweep.stage_graph import Graph, Stage
from benchmarks import small_project


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="the smallest sample and one epoch; shows that it runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = small_project.clone(Path(folder), small_project.SMALLEST)
        if not options.small:
            (project / "params.yaml").write_bytes((small_project.ROOT / "params.yaml").read_bytes())
        print("| stage | wall, s | CPU, s | memory, GiB |\n|---|---:|---:|---:|")
        rows = [timed(stage, project) for stage in in_order(project)]
    wall, cpu, memory = (sum(row[0] for row in rows), sum(row[1] for row in rows), max(row[2] for row in rows))
    print(f"| all {len(rows)} | {wall:.0f} | {cpu:.0f} | {memory:.2f} |")


def in_order(project: Path) -> list[Stage]:
    """The stages of dvc.yaml and sample/dvc.yaml, each after those that it reads from."""
    definitions = {name: (project / name).read_text(encoding="utf-8") for name in ("dvc.yaml", "sample/dvc.yaml")}
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        return list(Graph(definitions, [], Path(scratch)).stages(params).values())


def timed(stage: Stage, project: Path) -> tuple[float, float, float]:
    """Run a stage; print its row and return wall seconds, CPU seconds and GiB.

    Raises:
        ValueError: the stage failed.
    """
    command = shlex.split(stage.cmd)
    command[0] = sys.executable if command[0] == "python" else command[0]
    log, start = project / "stage.log", time.perf_counter()
    with log.open("wb") as output:
        environment = small_project.environment()
        process = subprocess.Popen(command, cwd=project, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)  # the process with all of its finished children
    wall, cpu, memory = time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
    if status:
        raise ValueError(f"{stage.cmd} failed:\n{log.read_text(errors='replace')[-2000:]}")
    print(f"| {stage.name} | {wall:.1f} | {cpu:.1f} | {memory:.2f} |", flush=True)
    return wall, cpu, memory


if __name__ == "__main__":
    main()
