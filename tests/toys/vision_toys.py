"""Small image encoders of every family, in folders as published."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

SIDE = 32  # pixels
LAYERS, HIDDEN = 4, 32
PREPROCESSOR: dict[str, Any] = {
    "do_resize": True,
    "size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48, 0.46, 0.41],
    "image_std": [0.27, 0.26, 0.28],
}
VIT: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": SIDE,
    "patch_size": 8,
}
STAGES = {"depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4], "window_size": 2, "image_size": SIDE, "patch_size": 2}
# Family -> class of transformers, arguments of its config.
OPEN: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViTModel", VIT),
    "facial_expression": ("ViTForImageClassification", VIT | {"num_labels": 7}),
    "deit": ("DeiTModel", VIT),
    "clip": ("CLIPModel", {"vision_config": VIT, "text_config": {**VIT, "vocab_size": 60}, "projection_dim": 16}),
    "clip_vision_model": ("CLIPVisionModel", VIT),
    "siglip": ("SiglipModel", {"vision_config": VIT, "text_config": {**VIT, "vocab_size": 60}}),
    "siglip_vision_model": ("SiglipVisionModel", VIT),
    "dinov2": ("Dinov2Model", VIT | {"image_size": 56, "layerscale_value": 0.7}),  # positions of larger pictures
    "dinov2_with_registers": ("Dinov2WithRegistersModel", VIT | {"num_register_tokens": 2}),
}
WHOLE: dict[str, tuple[str, dict[str, Any]]] = {
    "dinov3_vit": ("DINOv3ViTModel", VIT),
    "beit": ("BeitModel", VIT),
    "swin": ("SwinModel", STAGES | {"embed_dim": 8}),
    "swinv2": ("Swinv2Model", STAGES | {"embed_dim": 8}),
    "convnext": ("ConvNextModel", {"hidden_sizes": [4, 8, 8, 16], "depths": [1, 1, 2, 1], "image_size": SIDE}),
    "convnextv2": ("ConvNextV2Model", {"hidden_sizes": [4, 8, 8, 16], "depths": [1, 1, 2, 1], "image_size": SIDE}),
}


def make(name: str) -> Any:
    """A model whose biases, norms and tokens all matter; at transformers' own initial values they would not."""
    kind, arguments = (OPEN | WHOLE)[name]
    model_class = getattr(transformers, kind)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = model_class(model_class.config_class(**arguments)).eval()
        with torch.no_grad():
            for part in made.modules():
                if isinstance(part, nn.LayerNorm | nn.Linear | nn.Conv2d):
                    if isinstance(part, nn.LayerNorm):
                        part.weight.normal_(1, 0.2)
                    else:
                        part.weight.normal_(0, 2 / part.weight[0].numel() ** 0.5)
                    if part.bias is not None:
                        part.bias.normal_(0, 0.2)
            for token, value in made.named_parameters():
                if token.rpartition(".")[2] in ("cls_token", "position_embeddings", "register_tokens", "probe"):
                    value.normal_(0, 0.5)
    return made


def pictures(count: int = 3, side: int = SIDE) -> np.ndarray:
    """Random pictures [count, side, side, 3]."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def publish(model: Any, folder: Path, preprocessor: dict[str, Any] | None = PREPROCESSOR) -> Path:
    """A folder with a model, and with its preprocessor_config.json unless that is None."""
    model.save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder
