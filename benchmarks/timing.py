"""Fair ratios: times a baseline and its rivals in one process, in turns, and compares medians."""

import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch


def interleaved(rivals: dict[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each function; they run in turns, `repeats` times after one warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for round_ in range(repeats + 1):
        for name, function in rivals.items():
            wait(device)
            began = time.perf_counter()
            function()
            wait(device)
            if round_:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def wait(device: torch.device) -> None:
    """Wait until the GPU has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def machine(device: torch.device) -> str:
    """A description of hardware, threads and versions."""
    gpu = f", {torch.cuda.get_device_name()}" if device.type == "cuda" else ""
    flags = torch.backends.cpu.get_cpu_capability()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    return f"{cores} cores {platform.machine()} ({flags}){gpu}; {torch.get_num_threads()} threads; {versions}"


def line(name: str, ratio: float, goal: str, detail: str) -> None:
    """Print one measurement as a row of the Markdown table."""
    print(f"| {name} | {ratio:.2f} | {goal} | {detail} |", flush=True)


def matmul_peak(device: torch.device, dtype: torch.dtype, size: int, repeats: int = 5) -> float:
    """Floating-point operations per second of the best square matrix product."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):
        wait(device)
        began = time.perf_counter()
        a @ b
        wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
