"""The last layers of WavLM over cached states.

Shape letters: B utterances, T frames (one per 20 ms), H hidden size. Masks are [B, T], True = real.
"""

import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from avemotion.models.speech.pretrained import boundary_layer

if TYPE_CHECKING:
    from transformers import WavLMConfig, WavLMModel


class TopLayers(nn.Module):
    """The last N transformer layers of a WavLM, over the cached state that enters them.

    The result is exact: above the first layer, the only inputs of a layer are that state and the relative position
    bias, a frozen table of layer 0. State dict keys contain the layers' numbers in the whole model
    (`layers.11.attention...`), so weights of different N fit each other.
    """

    def __init__(self, config: "WavLMConfig", layers: int):
        """Fresh weights; load them from a checkpoint, or use `from_model`. With layers = 0 the output is the input."""
        from transformers.models.wavlm.modeling_wavlm import WavLMEncoderLayer, WavLMEncoderLayerStableLayerNorm

        super().__init__()
        first = boundary_layer(config, layers)
        kind = WavLMEncoderLayerStableLayerNorm if config.do_stable_layer_norm else WavLMEncoderLayer
        self.heads, self.max_distance = config.num_attention_heads, config.max_bucket_distance
        self.layers = nn.ModuleDict(
            {str(i): kind(config, has_relative_position_bias=i == 0) for i in range(first, config.num_hidden_layers)}
        )
        self.layer_norm: nn.LayerNorm | None = None
        self.relative_position: nn.Embedding | None = None
        if layers and config.do_stable_layer_norm:
            self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        if layers and first > 0:
            self.relative_position = nn.Embedding(config.num_buckets, config.num_attention_heads)
            self.relative_position.requires_grad_(False)

    @classmethod
    def from_model(cls, model: "WavLMModel", layers: int) -> "TopLayers":
        """A copy of the last layers of a loaded model."""
        top = cls(model.config, layers)
        encoder = model.encoder
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
        layers = list(self.layers.values())[: len(self.layers) - skip]
        if not layers:
            return boundary
        hidden, position_bias = boundary.masked_fill(~mask.unsqueeze(-1), 0.0), None  # padding may contain NaN
        # For an utterance without any frame (no sound) the softmax would be 0/0.
        mask = mask | ~mask.any(1, keepdim=True)
        if self.relative_position is not None:
            position_bias = self._position_bias(boundary.shape[1]).repeat(len(boundary), 1, 1)
        with warnings.catch_warnings():
            # transformers passes a boolean mask and a float bias; torch warns that it will require one type.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            for layer in layers:
                hidden, position_bias = layer(hidden, attention_mask=mask, position_bias=position_bias)
        return hidden if self.layer_norm is None or skip else self.layer_norm(hidden)

    def last_parameters(self, layers: int) -> list[nn.Parameter]:
        """Parameters of the last `layers` layers, and of the norm after them; the position table is not among them."""
        assert 0 <= layers <= len(self.layers)
        modules: list[nn.Module] = list(self.layers.values())[len(self.layers) - layers :]
        if layers and self.layer_norm is not None:
            modules.append(self.layer_norm)
        return [parameter for module in modules for parameter in module.parameters()]

    def _position_bias(self, length: int) -> Tensor:
        """[heads, T, T]: a learned value for each bucket of the distance between key and query."""
        assert self.relative_position is not None
        frames = torch.arange(length, device=self.relative_position.weight.device)
        distance = frames[None, :] - frames[:, None]
        half = self.relative_position.num_embeddings // 2
        exact = half // 2  # buckets of one distance each; the rest widen logarithmically (T5, arXiv 1910.10683)
        steps = torch.log(distance.abs().float() / exact) / math.log(self.max_distance / exact) * (half - exact)
        wide = (exact + steps.clamp(min=0)).long().clamp(max=half - 1)
        bucket = torch.where(distance.abs() < exact, distance.abs(), wide) + half * (distance > 0)
        return self.relative_position(bucket).permute(2, 0, 1)
