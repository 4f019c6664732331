"""The one place that touches torch's seeds, devices, threads and numeric modes."""

import os
import random
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import numpy as np
import torch

from stages.lib.compute import ComputeParams

Precision = Literal["fp32", "bf16"]


def setup(seed: int, compute: ComputeParams, threads: int | None = None) -> torch.device:
    """Seed every generator, make kernels deterministic, fix the thread count; returns the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic cuBLAS
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(threads or compute.threads)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return device(compute.device)


def device(name: str) -> torch.device:
    """'auto' takes the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"compute.device is {name!r}; choose auto, cpu, cuda or cuda:N") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"compute.device is {name!r}, but {torch.cuda.device_count()} GPUs are visible; use auto or cpu"
        )
    return chosen


def autocast(precision: Precision, where: torch.device) -> AbstractContextManager:
    """bf16: matrix products in bfloat16, sums and norms in float32; fp32: nothing."""
    return torch.autocast(where.type, torch.bfloat16) if precision == "bf16" else nullcontext()
