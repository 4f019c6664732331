"""LoRA (Hu et al. 2022, arXiv:2106.09685) on the attention of a speech encoder's last layers, by the package peft.

Beside a frozen projection W, training changes a product of two thin matrices: W + alpha / rank * B A. B is 0 at first,
so the model starts as it is. Merged, the sum is an ordinary W again, so no checkpoint holds a trace of it.
"""

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avemotion.models.speech.top_layers import TopLayers

PARAM = "audio.lora"
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")  # of attention; alike in all families
MARK = "lora_"  # in the names of peft's weights


def missing(rank: int) -> str | None:
    """What is wrong with the installation for LoRA of this rank; None = nothing."""
    if not rank or importlib.util.find_spec("peft"):
        return None
    return f"{PARAM}.rank is {rank}, but the package peft is not installed; run `uv sync --extra lora`, or give rank 0"


class Adapters:
    """The adapters of the last layers; TopLayers.last_parameters then returns theirs alone."""

    def __init__(self, top: "TopLayers", layers: int, *, rank: int, alpha: int, dropout: float):
        """Add fresh adapters to the last `layers` layers of top.

        Args:
            rank: columns of B. dropout: of the input of A.

        Raises:
            ValueError: peft is not installed.
        """
        if fault := missing(rank):
            raise ValueError(fault)
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel

        self.top, self.names = top, list(top.layers)[len(top.layers) - layers :]
        top.stack.call_projections(self._layers())
        targets = [f"layers.{name}.attention.{part}" for name in self.names for part in PROJECTIONS]
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets)
        self._tuner: Any = LoraModel(top, config, "speech")

    def merge(self) -> None:
        """Put W + alpha / rank * B A in place of W, and remove the adapters."""
        self._tuner.merge_and_unload()
        self.top.stack.restore(self._layers())

    def _layers(self) -> list[Any]:
        return [self.top.layers[name] for name in self.names]
