"""The last layers of a speech encoder over cached states.

Shape letters: B utterances, T frames (one per 20 ms), H hidden size. Masks are [B, T], True = real.
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from avemotion.models.speech import families, layer_stacks, lora
from avemotion.models.speech.pretrained import boundary_layer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


class TopLayers(nn.Module):
    """The last N transformer layers of a speech encoder, over the cached state that enters them.

    The result is exact: above the first layer, the only input of a layer is that state, and in WavLM the relative
    position bias, a frozen table of layer 0. State dict keys contain the layers' numbers in the whole model
    (`layers.11.attention...`), so weights of different N fit each other.
    """

    def __init__(self, config: "PretrainedConfig", layers: int):
        """Fresh weights; load them from a checkpoint, or use `from_model`. With layers = 0 the output is the input."""
        super().__init__()
        first = boundary_layer(config, layers)
        self.stack = layer_stacks.of(config)
        self.layers = nn.ModuleDict({str(i): self.stack.make(i) for i in range(first, config.num_hidden_layers)})
        self.layer_norm: nn.LayerNorm | None = None
        self.relative_position: layer_stacks.RelativePosition | None = None
        if layers and families.norm_first(config):
            self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        if layers and first > 0:
            self.relative_position = self.stack.position_table()
        if self.relative_position is not None:
            self.relative_position.requires_grad_(False)

    @classmethod
    def from_model(cls, model: "PreTrainedModel", layers: int) -> "TopLayers":
        """A copy of the last layers of a loaded model."""
        top = cls(model.config, layers)
        encoder: Any = model.encoder
        for name, layer in top.layers.items():
            layer.load_state_dict(encoder.layers[int(name)].state_dict())
        if top.layer_norm is not None:
            top.layer_norm.load_state_dict(encoder.layer_norm.state_dict())
        if top.relative_position is not None:
            top.relative_position.load_state_dict(encoder.layers[0].attention.rel_attn_embed.state_dict())
        return top

    def forward(self, boundary: Tensor, mask: Tensor, skip: int = 0) -> Tensor:
        """boundary [B, T, H], mask [B, T] -> last hidden state [B, T, H]; padded frames are undefined.

        skip: number of last layers to leave out; the result is then their input.
        """
        return self.states(boundary, mask, skip)[-1]

    def states(self, boundary: Tensor, mask: Tensor, skip: int = 0) -> list[Tensor]:
        """As forward, but also what lies below: the boundary and the output of each layer [B, T, H]."""
        layers = list(self.layers.values())[: len(self.layers) - skip]
        if not layers:
            return [boundary]
        hidden = boundary.masked_fill(~mask.unsqueeze(-1), 0.0)  # padding may contain NaN
        # For an utterance without any frame (no sound) the softmax would be 0/0.
        mask = mask | ~mask.any(1, keepdim=True)
        outputs = self.stack.run(layers, hidden, mask, self.relative_position)
        if self.layer_norm is not None and not skip:
            outputs[-1] = self.layer_norm(outputs[-1])
        return [boundary, *outputs]

    def last_parameters(self, layers: int) -> list[nn.Parameter]:
        """Parameters of the last `layers` layers, and of the norm after them; the position table is not among them.

        Where these layers have LoRA adapters, the parameters of the adapters alone.
        """
        assert 0 <= layers <= len(self.layers)
        modules: list[nn.Module] = list(self.layers.values())[len(self.layers) - layers :]
        if layers and self.layer_norm is not None:
            modules.append(self.layer_norm)
        named = [pair for module in modules for pair in module.named_parameters()]
        adapters = [parameter for name, parameter in named if lora.MARK in name]
        return adapters or [parameter for _, parameter in named]
