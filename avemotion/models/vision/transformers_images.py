"""Image encoders of transformers, by hub id or folder."""

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from avemotion.models.speech import strict_loading
from avemotion.models.vision import image_families, picture_input
from avemotion.models.vision.image_families import ImageFamily
from avemotion.models.vision.picture_encoder import ClassToken, PictureEncoder, StateBlock

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def config_for(name: str, param: str) -> "tuple[ImageFamily, PretrainedConfig]":
    """Family and config of a model, without its weights.

    Raises:
        ValueError: there is no such model, or it is none of the families.
    """
    fields = strict_loading.config_fields(name, param, "image")
    family = image_families.family_of(fields, name, param)
    return family, family.config_class.from_dict(image_families.vision_fields(fields))


def load(name: str, param: str) -> PictureEncoder:
    """The pretrained model.

    Raises:
        ValueError: as config_for and picture_input.stated; or the weights are not whole (strict_loading.load).
    """
    family, config = config_for(name, param)
    _check(family, config, name, param)
    types = {kind for kind, of in image_families.FAMILIES.items() if of is family}
    model = strict_loading.load(family.model_class, name, config, param, types=types, arguments=family.arguments)
    return _encoder(family, model, name, param, first=0)


def fresh(name: str, param: str, blocks: int) -> PictureEncoder:
    """The model with its last `blocks` blocks alone and random weights, which a checkpoint replaces."""
    family, config = config_for(name, param)
    first = 0
    if family.norm is not None and 0 < blocks <= config.num_hidden_layers:
        first = config.num_hidden_layers - blocks
        config.num_hidden_layers = blocks
    return _encoder(family, family.model_class(config, **family.arguments).eval(), name, param, first)


def _check(family: ImageFamily, config: "PretrainedConfig", name: str, param: str) -> None:
    """Raises ValueError if pictures of the stated size are not those that the model's positions are made for."""
    size, sides = picture_input.stated(name, param, family.resample).size, getattr(config, "image_size", None)
    fixed = family.prefix in ("ViT", "DeiT", "CLIPVision", "SiglipVision")  # others take pictures of any size
    if fixed and sides not in (size, [size, size], (size, size)):
        raise ValueError(
            f"{param} is {name!r}, whose {picture_input.FILE} has pictures of {size} pixels, but its config.json "
            f"image_size {sides}; download both again, or correct the file in a folder of your own"
        )


def _encoder(family: ImageFamily, model: Any, name: str, param: str, first: int) -> PictureEncoder:
    layers, head = [], None
    if family.norm is not None:
        layers, head = _layers(model), _head(family, model)

    def embed(pixels: Tensor) -> Tensor:
        output = model(pixels)
        if family.embedding == "class token" and family.arguments:  # its pooler is left out
            return output.last_hidden_state[:, 0]
        return output.pooler_output.flatten(1)

    return PictureEncoder(
        model=model,
        embed=embed,
        hooked=layers,
        blocks=[StateBlock(layer) for layer in layers],
        head=head,
        first=first,
        pictures=picture_input.stated(name, param, family.resample),
        facts={"family": family.title, "embedding": family.embedding},
    )


def _layers(model: Any) -> list[nn.Module]:
    """The transformer layers: versions of transformers name their list differently."""
    count = model.config.num_hidden_layers
    [layers] = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == count]
    return list(layers)


def _head(family: ImageFamily, model: Any) -> nn.Module:
    named = {name.rpartition(".")[2]: module for name, module in model.named_modules()}
    norm = named[str(family.norm)]
    if family.embedding == "class token":
        return ClassToken(norm)
    return nn.Sequential(norm, named["head"])
