"""Moving average of a model's weights during training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of all weights and buffers of a model (Polyak and Juditsky 1992).

    Update n = 1, 2 ... has the decay min(decay, n / (n + 9)), so that a short training forgets its first weights too.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay, self.updates = model, decay, 0
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, *_: object) -> None:
        """Take the model's present weights into the average; a hook for the end of an optimizer's step."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:  # a count of batches
                self.average[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of updates."""
        return {"average": self.average, "updates": self.updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict returned."""
        self.updates = state_dict["updates"]
        for name, value in state_dict["average"].items():
            self.average[name].copy_(value)

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Within the block the model has the average as its weights."""
        present: dict[str, Tensor] = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        try:
            yield
        finally:
            self.model.load_state_dict(present)
