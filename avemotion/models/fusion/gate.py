"""The gate that weighs audio against video."""

from torch import nn


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
