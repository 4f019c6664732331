"""The gate that weighs audio against video, and the one that weighs prosody against both."""

from typing import TypedDict

import torch
from torch import Tensor, nn


class GateOptions(TypedDict):
    """Arguments of `gate` besides its inputs."""

    hidden: int
    dropout: float
    bias: float | None
    simple: bool


def gate(inputs: int, hidden: int, dropout: float, bias: float | None, simple: bool) -> nn.Sequential:
    """[B, inputs] -> [B, 1] in (0, 1), the share of audio.

    Args:
        bias: the initial output is sigmoid(bias) for every input: 0.27 for -1, which favours video. None: random.
        simple: Linear -> sigmoid, without the hidden layer.
    """
    last = nn.Linear(inputs if simple else hidden, 1)
    if bias is not None:
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, bias)
    if simple:
        return nn.Sequential(last, nn.Sigmoid())
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), last, nn.Sigmoid())


class ProsodyGate(nn.Module):
    """s * prosody + (1 - s) * joint with a learned share s, which is 0 for a clip without prosody.

    options: of `gate`; sigmoid(bias) is the initial share of prosody.
    """

    def __init__(self, prosody: int, dim: int, options: GateOptions):
        super().__init__()
        self.project = nn.Linear(prosody, dim)
        self.gate = gate(2 * dim, **options)

    def forward(self, joint: Tensor, prosody: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """joint [B, D], prosody [B, P], present [B] -> [B, D], share of prosody [B]."""
        projected = self.project(prosody)
        share = self.gate(torch.cat([joint, projected], -1)) * present[:, None]
        return share * projected + (1 - share) * joint, share.squeeze(-1)
