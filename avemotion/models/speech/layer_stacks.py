"""How the transformer layers of a family are made and called: with a relative position bias (WavLM), or without.

Shape letters: B utterances, T frames (one per 20 ms), H hidden size. Masks are [B, T], True = real.
"""

import math
import warnings
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avemotion.models.speech import families

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class RelativePosition(nn.Embedding):
    """WavLM's table: a learned value for each bucket of the distance between key and query, and for each head."""

    def __init__(self, config: "PretrainedConfig"):
        super().__init__(config.num_buckets, config.num_attention_heads)
        self.max_distance = config.max_bucket_distance

    def bias(self, length: int) -> Tensor:
        """[heads, T, T]."""
        frames = torch.arange(length, device=self.weight.device)
        distance = frames[None, :] - frames[:, None]
        half = self.num_embeddings // 2
        exact = half // 2  # buckets of one distance each; the rest widen logarithmically (T5, arXiv 1910.10683)
        steps = torch.log(distance.abs().float() / exact) / math.log(self.max_distance / exact) * (half - exact)
        wide = (exact + steps.clamp(min=0)).long().clamp(max=half - 1)
        bucket = torch.where(distance.abs() < exact, distance.abs(), wide) + half * (distance > 0)
        return self(bucket).permute(2, 0, 1)


class LayerStack:
    """Layers that depend on a hidden state and a mask alone; transformers computes their attention by torch's SDPA."""

    def __init__(self, config: "PretrainedConfig"):
        assert families.of(config).relative_position or config._attn_implementation == "sdpa", config
        self.config, self.kind = config, families.of(config).layer_class(config)

    def make(self, index: int) -> nn.Module:
        """A layer with fresh weights; index: its number in the whole model."""
        return self.kind(self.config)

    def position_table(self) -> RelativePosition | None:
        """What the layers above the first one need besides their input, with fresh weights."""
        return None

    def run(
        self, layers: Iterable[nn.Module], hidden: Tensor, mask: Tensor, table: RelativePosition | None
    ) -> list[Tensor]:
        """hidden [B, T, H], mask [B, T] -> output of each layer [B, T, H]."""
        outputs = []
        for layer in layers:
            hidden = layer(hidden, **self.attention_mask(mask))
            outputs.append(hidden)
        return outputs

    def attention_mask(self, mask: Tensor) -> dict[str, Tensor]:
        """Arguments of a layer in place of those that the whole model gives it.

        transformers leaves out a mask without padding. Here the kernel must not depend on the other rows of a batch.
        """
        return {"attention_mask": mask[:, None, None, :]}

    def call_projections(self, layers: Iterable[Any]) -> None:
        """Let attention call its projections as modules, as a faster kernel and LoRA need it; same output."""

    def restore(self, layers: Iterable[Any]) -> None:
        """Undo call_projections."""


class WavLMStack(LayerStack):
    """Layers whose only further input is a relative position bias, from a table of layer 0."""

    def make(self, index: int) -> nn.Module:
        return self.kind(self.config, has_relative_position_bias=index == 0)

    def position_table(self) -> RelativePosition:
        return RelativePosition(self.config)

    def run(
        self, layers: Iterable[nn.Module], hidden: Tensor, mask: Tensor, table: RelativePosition | None
    ) -> list[Tensor]:
        outputs, bias = [], None if table is None else table.bias(hidden.shape[1]).repeat(len(hidden), 1, 1)
        with warnings.catch_warnings():
            # transformers passes a boolean mask and a float bias; torch warns that it will require one type.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            for layer in layers:
                hidden, bias = layer(hidden, attention_mask=mask, position_bias=bias)
                outputs.append(hidden)
        return outputs

    def attention_mask(self, mask: Tensor) -> dict[str, Tensor]:
        return {}

    def call_projections(self, layers: Iterable[Any]) -> None:
        for layer in layers:
            layer.attention.torch_multi_head_self_attention = partial(_attention, layer.attention)

    def restore(self, layers: Iterable[Any]) -> None:
        for layer in layers:
            del layer.attention.torch_multi_head_self_attention


def of(config: "PretrainedConfig") -> LayerStack:
    """The stack of a model's family."""
    return (WavLMStack if families.of(config).relative_position else LayerStack)(config)


def _attention(attention: Any, hidden: Tensor, mask: Tensor | None, position_bias: Tensor) -> tuple[Tensor, None]:
    """WavLM's self-attention [B, T, H]; unlike the version of transformers, it does not return the T x T weights, and
    calls the projections instead of reading their weights.

    mask [B, T] or None; position_bias [B * heads, T, T].
    """
    rows, length, width = hidden.shape
    query, key, value = (
        layer(hidden).view(rows, length, attention.num_heads, attention.head_dim).transpose(1, 2)
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    bias = position_bias.view(rows, attention.num_heads, length, length).to(query.dtype)
    if mask is not None:
        bias = bias.masked_fill(~mask[:, None, None, :], float("-inf"))
    dropout = attention.dropout if attention.training else 0.0
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
    return attention.out_proj(output.transpose(1, 2).reshape(rows, length, width)), None
