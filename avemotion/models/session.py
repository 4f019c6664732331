"""Streaming prediction: a dialogue turn by turn."""

import torch
from torch import Tensor

from avemotion.models.va.dialogue_state import Memory
from avemotion.models.va.model import VAModel, VAOutput


class Session:
    """Predicts turn by turn, with the same numbers as for the stored dialogue.

    Between turns it stores the state c_t, the last prediction and the values that the updater carries: none (linear),
    its hidden state (gru), its last `window` inputs (transformer), or two states of fixed size (mamba). The memory does
    not grow with the dialogue.
    """

    def __init__(self, model: VAModel):
        """model: a VAModel in eval mode; several sessions may share it."""
        if model.training:
            raise ValueError("the model is in training mode, so its predictions would be noisy; call model.eval()")
        self.model = model
        self.memory: Memory | None = None

    @torch.inference_mode()
    def __call__(self, **inputs: Tensor) -> VAOutput:
        """Predict the next turn of either speaker; inputs: arguments of VAModel.parts for one turn [1, ...]."""
        device = self.model.units.mean.device
        turn = torch.ones(1, 1, dtype=torch.bool, device=device)
        inputs = {name: value.to(device) for name, value in inputs.items()}
        output = self.model(**inputs, turns=turn, memory=self.memory)
        self.memory = output.memory
        return output

    def reset(self) -> None:
        """Start a new dialogue."""
        self.memory = None
