"""Seeds, device, threads and numeric modes of torch for one process."""

import os
import random
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import numpy as np
import torch

from avemotion.system.workers import Compute


def setup(seed: int, compute: Compute, threads: int | None = None) -> torch.device:
    """Seed every generator, make kernels deterministic and fix the thread count; returns the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic cuBLAS requires it
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(threads or compute.threads)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return device(compute.device)


def device(name: str) -> torch.device:
    """The device of a name; 'auto' is the GPU where there is one, else the CPU."""
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


def autocast(precision: Literal["fp32", "bf16"], where: torch.device) -> AbstractContextManager:
    """The context of a precision. bf16: matrix products in bfloat16, sums and norms in float32; fp32: no change."""
    return torch.autocast(where.type, torch.bfloat16) if precision == "bf16" else nullcontext()
