"""Small WavLMs of both published layouts."""

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import WavLMModel

SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "num_buckets": 32,
    "max_bucket_distance": 60,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
STYLES = {
    "base": {},
    "large": {"do_stable_layer_norm": True, "feat_extract_norm": "layer"},
}


def make(style: str) -> "WavLMModel":
    """A small WavLM whose biases, gates and norms all matter (at transformers' own initial values they would not)."""
    from transformers import WavLMConfig, WavLMModel

    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = WavLMModel(WavLMConfig(**SMALL, **STYLES[style])).eval()
        with torch.no_grad():
            made.encoder.layers[0].attention.rel_attn_embed.weight.normal_(0, 1)
            for layer in made.encoder.layers:
                layer.attention.gru_rel_pos_const.normal_(1, 0.3)
                for module in layer.modules():
                    if isinstance(module, torch.nn.Linear):
                        module.weight.normal_(0, 1 / math.sqrt(module.in_features))
                        module.bias.normal_(0, 0.1)
                    if isinstance(module, torch.nn.LayerNorm):
                        module.weight.normal_(1, 0.2)
                        module.bias.normal_(0, 0.2)
    return made
