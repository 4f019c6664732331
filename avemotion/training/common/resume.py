"""The state of a training after an epoch, in a file from which an interrupted training goes on.

All that later epochs depend on is in it: weights, optimizer, schedule, moving average, the selected weights, the
history, what the loss keeps from batch to batch, and torch's random numbers. A training that went on from it therefore
ends with the same bytes as one without a break. The file lies in a folder whose name is a key of all params and inputs
(folds.key_of), so no other training finds it.
"""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

SECONDS = 60.0  # between two writes; a training that is shorter writes nothing


class Stateful(Protocol):
    """What torch's modules, optimizers and schedules have."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


@dataclass(kw_only=True)
class Progress:
    """How far a training is."""

    best_state: dict[str, Tensor]  # the weights that are selected so far
    best: tuple[float, float] = (-math.inf, -math.inf)  # their validation score and minus their loss
    phase: int = 0  # number of finished phases
    epochs: int = 0  # finished epochs of the present phase
    stale: int = 0  # its last epochs without a better score
    history: list[dict[str, Any]] = field(default_factory=list)


class Resume:
    """Writes the state of a training into a file now and then, and reads it after an interruption."""

    def __init__(self, file: Path, device: torch.device):
        """device: of the training, whose random numbers are part of the state."""
        self.file, self.device = file, device
        self._stored: dict[str, Any] | None = None
        self._last = time.monotonic()

    def read(self) -> Progress | None:
        """How far the interrupted training was; None where there is no file, or a damaged one, which is printed."""
        if not self.file.is_file():
            return None
        try:
            stored = torch.load(self.file, map_location="cpu", weights_only=True)  # executes no code of the file
            progress = Progress(**stored.pop("progress"))
        except Exception as error:  # a damaged file may raise any error
            reason = str(error).partition("\n")[0] or type(error).__name__
            print(f"{self.file}: not readable ({reason}); training starts anew", file=sys.stderr)
            return None
        self._stored = stored
        print(f"training goes on after epoch {len(progress.history)}, from {self.file}", flush=True)
        return progress

    def restore(self, parts: Mapping[str, Stateful]) -> None:
        """After `read` and once: give the parts their state, and torch its random numbers."""
        if self._stored is None:
            return
        for name, part in parts.items():
            part.load_state_dict(self._stored[name])
        torch.set_rng_state(self._stored["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(self._stored["cuda"], self.device)
        self._stored = None

    def write(self, progress: Progress, parts: Mapping[str, Stateful]) -> None:
        """Write the state after an epoch, unless the last write is less than SECONDS ago.

        A write error does not stop the training.
        """
        if time.monotonic() - self._last < SECONDS:
            return
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        state |= {"progress": vars(progress), "random": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        part = self.file.with_name(f"{self.file.name}.part")
        try:
            torch.save(state, part)
            part.replace(self.file)
        except (OSError, RuntimeError) as error:  # torch's writer raises the second one on a full disk
            part.unlink(missing_ok=True)
            print(f"{self.file}: {error}; after a kill this training would start anew", file=sys.stderr)
        self._last = time.monotonic()
