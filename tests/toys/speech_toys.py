"""Small speech encoders of every family, in all layouts that are published."""

import math
from typing import TYPE_CHECKING, Any

import torch

from avemotion.models.speech.families import FAMILIES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embedding_groups": 4,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
ONE_POSITION = {"num_conv_pos_embeddings": 16}
BASE: dict[str, Any] = {}
LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
STYLES: dict[str, dict[str, dict[str, Any]]] = {
    "wavlm": {
        style: ONE_POSITION | {"num_buckets": 32, "max_bucket_distance": 60} | more
        for style, more in (("base", BASE), ("large", LARGE))
    },
    "wav2vec2": {
        "base": ONE_POSITION,
        "large": ONE_POSITION | LARGE | {"conv_bias": True},  # wav2vec2-large-lv60, XLS-R
    },
    "hubert": {
        "base": ONE_POSITION,
        "large": ONE_POSITION | LARGE,
        "batch_norm": ONE_POSITION | {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False},  # mHuBERT-147
    },
    "unispeech-sat": {"base": ONE_POSITION, "large": ONE_POSITION | LARGE},
    "data2vec-audio": {"base": {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}},  # large: the same layout
}
NAMES = [f"{family} {style}" for family, styles in STYLES.items() for style in styles]


def make(name: str) -> "PreTrainedModel":
    """A model whose biases, gates and norms all matter (at transformers' own initial values they would not).

    Args:
        name: one of NAMES.
    """
    family, style = name.split()
    parts = FAMILIES[family]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made: Any = parts.model_class(parts.config_class(**SMALL, **STYLES[family][style])).eval()
        with torch.no_grad():
            if parts.relative_position:
                made.encoder.layers[0].attention.rel_attn_embed.weight.normal_(0, 1)
            for layer in made.encoder.layers:
                if parts.relative_position:
                    layer.attention.gru_rel_pos_const.normal_(1, 0.3)
                for module in layer.modules():
                    if isinstance(module, torch.nn.Linear):
                        module.weight.normal_(0, 1 / math.sqrt(module.in_features))
                        module.bias.normal_(0, 0.1)
                    if isinstance(module, torch.nn.LayerNorm):
                        module.weight.normal_(1, 0.2)
                        module.bias.normal_(0, 0.2)
            for module in made.encoder.pos_conv_embed.modules():
                if isinstance(module, torch.nn.Conv1d):
                    module.bias.normal_(0, 0.5)
                if isinstance(module, torch.nn.BatchNorm1d):
                    module.running_mean.normal_(0, 1)
                    module.running_var.uniform_(0.5, 2)
                    module.bias.normal_(0, 1)
    return made
