"""An image encoder in parts: its blocks, and what makes the embedding of a picture from the last of them.

Shape letters: R pictures, S x S pixels, P tokens of a picture, H hidden size, D embedding.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from avemotion.models.vision.picture_input import PictureInput


class ClassToken(nn.Module):
    """The state of the first token behind the last norm."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [R, P, H] -> [R, H]."""
        return self.norm(tokens)[:, 0]


class StateBlock(nn.Module):
    """A layer of transformers as a function of its hidden state alone."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        masked = "attention_mask" in inspect.signature(layer.forward).parameters
        self.arguments: dict[str, Any] = {"attention_mask": None} if masked else {}  # every patch is real

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [R, P, H] -> [R, P, H]."""
        output = self.layer(tokens, **self.arguments)
        return output[0] if isinstance(output, tuple) else output


class TopBlocks(nn.Module):
    """The last blocks of an image encoder over the state that enters them.

    State dict keys contain the blocks' numbers in the whole model, so weights of different numbers of blocks fit each
    other.
    """

    def __init__(self, blocks: Mapping[int, nn.Module], head: nn.Module):
        super().__init__()
        self.blocks = nn.ModuleDict({str(number): block for number, block in blocks.items()})
        self.head = head

    def forward(self, states: Tensor) -> Tensor:
        """Cached input of the first of these blocks [R, ...] -> embeddings [R, D]."""
        for block in self.blocks.values():
            states = block(states)
        return self.head(states)


@dataclass(frozen=True, kw_only=True)
class PictureEncoder:
    """A model in evaluation mode, and its parts.

    hooked: modules of the model, each with the input of a block; `blocks` are the same blocks as functions of that
    input. Both are empty where no block can be trained.
    """

    model: nn.Module
    embed: Callable[[Tensor], Tensor]  # pixels [R, 3, S, S] -> [R, D]
    hooked: list[nn.Module]
    blocks: list[nn.Module]
    head: nn.Module | None  # output of the last block -> [R, D]
    first: int  # number of the first block in the whole model; above 0 where the lower ones are left out
    pictures: PictureInput
    facts: Mapping[str, Any]  # what it is: family, embedding

    @property
    def total(self) -> int:
        """Blocks of the whole model."""
        return self.first + len(self.blocks)

    def boundary(self, blocks: int) -> int:
        """Number of the first of the last `blocks` blocks; ValueError if the model has fewer, or none to train."""
        if blocks and not self.blocks:
            raise ValueError(
                f"vision.unfreeze_layers is {blocks}, but models of {self.facts['family']} run frozen here; give 0, or "
                "name a ViT, CLIP, SigLIP or DINOv2, or a CNN of torchvision"
            )
        if not 0 <= blocks <= self.total:
            raise ValueError(
                f"vision.unfreeze_layers is {blocks}, but the model has {self.total} blocks; give 0 to {self.total}"
            )
        return self.total - blocks

    def entering(self, pixels: Tensor, blocks: int) -> Tensor:
        """pixels [R, 3, S, S] -> what enters the last `blocks` blocks [R, ...]; with 0, the embedding [R, D]."""
        if self.boundary(blocks) == self.total:
            return self.embed(pixels)
        states: list[Tensor] = []

        def keep(_: nn.Module, args: tuple) -> None:
            states.append(args[0])

        handle = self.hooked[len(self.hooked) - blocks].register_forward_pre_hook(keep)
        try:
            self.embed(pixels)
        finally:
            handle.remove()
        [state] = states
        return state

    def top(self, blocks: int) -> TopBlocks:
        """A copy of the last `blocks` blocks and of what follows them."""
        first = self.boundary(blocks)
        assert blocks and self.head is not None
        numbered = {number: self.blocks[number - self.first] for number in range(first, self.total)}
        return TopBlocks(*copy.deepcopy((numbered, self.head)))

    def dim(self) -> int:
        """Width D of the embedding."""
        parameter = next(self.model.parameters())
        pixels = torch.zeros(1, 3, self.pictures.size, self.pictures.size, device=parameter.device)
        with torch.inference_mode():
            return self.embed(pixels).shape[-1]
