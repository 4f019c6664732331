"""The families of image encoders of transformers that `vision.model` may name, by the model_type of their config.json.

Another family of either kind is another row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

Embedding = Literal["class token", "attention pooling", "pooler"]


@dataclass(frozen=True, kw_only=True)
class ImageFamily:
    """Names of a family in transformers, and what the embedding of a picture is.

    embedding: class token = the last state of that token behind the last norm; attention pooling = the output of
    SigLIP's pooling head; pooler = the family's own `pooler_output`.
    """

    title: str
    prefix: str  # of its classes: <prefix>Config, <prefix>Model
    embedding: Embedding
    norm: str | None  # behind the last layer; None: its layers take more than a state, so none of them is trained
    arguments: Mapping[str, Any]  # of the model's constructor
    resample: int  # PIL's number of the interpolation where preprocessor_config.json has none

    @property
    def config_class(self) -> "type[PretrainedConfig]":
        return getattr(import_module("transformers"), f"{self.prefix}Config")

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        return getattr(import_module("transformers"), f"{self.prefix}Model")


def _opened(title: str, prefix: str, norm: str, resample: int = 3, pooler: bool = False) -> ImageFamily:
    """A family of transformer layers over patches with a class token.

    pooler: whether the model class has a further, often untrained layer over that token, which is left out.
    """
    arguments = {"add_pooling_layer": False} if pooler else {}
    return ImageFamily(
        title=title, prefix=prefix, embedding="class token", norm=norm, arguments=arguments, resample=resample
    )


def _whole(title: str, prefix: str, resample: int = 3) -> ImageFamily:
    return ImageFamily(title=title, prefix=prefix, embedding="pooler", norm=None, arguments={}, resample=resample)


_CLIP = _opened("CLIP", "CLIPVision", "post_layernorm")  # arXiv 2103.00020
_SIGLIP = ImageFamily(  # arXiv 2303.15343
    title="SigLIP",
    prefix="SiglipVision",
    embedding="attention pooling",
    norm="post_layernorm",
    arguments={},
    resample=3,
)
FAMILIES: dict[str, ImageFamily] = {
    "vit": _opened("ViT", "ViT", "layernorm", resample=2, pooler=True),  # arXiv 2010.11929
    "deit": _opened("DeiT", "DeiT", "layernorm", pooler=True),  # arXiv 2012.12877
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": _opened("DINOv2", "Dinov2", "layernorm"),  # arXiv 2304.07193
    "dinov2_with_registers": _opened("DINOv2 with registers", "Dinov2WithRegisters", "layernorm"),  # arXiv 2309.16588
    "dinov3_vit": _whole("DINOv3", "DINOv3ViT"),  # arXiv 2508.10104
    "beit": _whole("BEiT", "Beit", resample=2),  # arXiv 2106.08254
    "swin": _whole("Swin", "Swin"),  # arXiv 2103.14030
    "swinv2": _whole("Swin V2", "Swinv2"),  # arXiv 2111.09883
    "convnext": _whole("ConvNeXt", "ConvNext"),  # arXiv 2201.03545
    "convnextv2": _whole("ConvNeXt V2", "ConvNextV2"),  # arXiv 2301.00808
}
KNOWN = ", ".join(dict.fromkeys(family.title for family in FAMILIES.values()))


def family_of(fields: Mapping[str, Any], name: str, param: str) -> ImageFamily:
    """The family of a model by the fields of its config.json.

    Args:
        name: hub id or folder of the model. param: key of params.yaml that gives it.

    Raises:
        ValueError: it is no image encoder of one of the families.
    """
    kind = fields.get("model_type")
    if kind not in FAMILIES:
        raise ValueError(
            f"{param} is {name!r}, whose config.json has model_type {kind}, which is no image encoder known here; give "
            f"one of {KNOWN}, torchvision:<name> or timm:<name>"
        )
    return FAMILIES[kind]


def vision_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the image encoder, which models of pictures and text have as a part of their config.json."""
    return dict(fields.get("vision_config", fields))
