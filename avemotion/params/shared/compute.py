"""Section `compute`: where and how fast work runs; no result depends on it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ComputeParams:
    """Section `compute`. No stage tracks it, because no output depends on it."""

    device: str  # auto, cpu, cuda, cuda:0 ...
    threads: int  # of one training process; fixed for all machines, because it may change the last bit of a sum
    workers: int  # parallel processes (extraction, folds); 0 = one per core
    loader_workers: int  # processes that load the batches of one training; -1 = automatic, see system/workers.py
    engine: Literal["local", "ray"]  # local: worker processes; ray: tasks of a Ray cluster
    address: str | None  # of the Ray cluster; null = the cluster of this machine
    tensorboard: bool  # curves of trainings in progress for TensorBoard too

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads is {self.threads}; give 1 or more")
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; give 0 (one per core) or more")
        if self.loader_workers < -1:
            raise ValueError(f"loader_workers is {self.loader_workers}; give -1 (automatic), 0 (none) or more")
        if self.address is not None and self.engine == "local":
            raise ValueError(f"address is {self.address!r}, but engine is local; set engine to ray, or address to null")
