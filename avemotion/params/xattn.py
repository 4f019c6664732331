"""Section `xattn`: the cross-attention between the modalities."""

from dataclasses import dataclass
from typing import Literal

from avemotion.params.shared.common import probabilities


@dataclass(frozen=True, kw_only=True)
class XattnParams:
    """Section `xattn`."""

    d_model: int
    heads: int
    audio_path: Literal["sequence", "conv"]  # Linear on the encoder's sequence; Conv1d, then Linear, see cross_modal.py
    head: Literal["concat", "gated"]
    head_dropout: float  # of head concat
    dropout: float  # of attention weights
    stochastic_depth: float  # probability that a training clip skips the attention branch

    def __post_init__(self) -> None:
        if self.heads < 1 or self.d_model % self.heads:
            raise ValueError(f"heads is {self.heads}; it must divide d_model ({self.d_model}), such as 1, 2, 4 or 8")
        probabilities(self, "head_dropout", "dropout", "stochastic_depth")
