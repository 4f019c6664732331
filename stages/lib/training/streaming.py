"""A dialogue as it comes in, one turn at a time."""

import torch
from torch import Tensor

from stages.lib.models.state import Memory
from stages.lib.models.va import VAModel, VAOutput


class Session:
    """Predicts each turn as it comes, with the numbers of the stored dialogue.

    Between turns it keeps the state c_t and the last prediction, and what the updater itself carries: nothing
    (linear), its hidden state (gru), its last `window` inputs (transformer), two fixed-size states (mamba). The
    memory does not grow with the dialogue.
    """

    def __init__(self, model: VAModel):
        """model: in eval mode; several sessions may share it."""
        if model.training:
            raise ValueError("the model is in training mode, so its predictions would be noisy; call model.eval()")
        self.model = model
        self.memory: Memory | None = None

    @torch.inference_mode()
    def __call__(self, **inputs: Tensor) -> VAOutput:
        """The next turn, of either speaker; inputs: arguments of VAModel.parts for one turn [1, ...]."""
        device = self.model.units.mean.device
        turn = torch.ones(1, 1, dtype=torch.bool, device=device)
        inputs = {name: value.to(device) for name, value in inputs.items()}
        output = self.model(**inputs, turns=turn, memory=self.memory)
        self.memory = output.memory
        return output

    def reset(self) -> None:
        """A new dialogue begins."""
        self.memory = None
