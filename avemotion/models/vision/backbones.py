"""The door of this package: pretrained image encoders by the name in `vision.model`.

A name is a hub id or folder of transformers, torchvision:<network> or timm:<model>, each with @<revision> for another
revision than the default. The import of torch and its companions takes seconds, so each function imports what it uses.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.models.speech import strict_loading
from avemotion.models.vision import image_families

if TYPE_CHECKING:
    from types import ModuleType

    from avemotion.models.vision.picture_encoder import PictureEncoder, TopBlocks

PARAM = "vision.model"
LIBRARIES = ("torchvision", "timm")  # prefixes of names; all others are models of transformers


def load(name: str) -> "PictureEncoder":
    """A pretrained image encoder in evaluation mode.

    Raises:
        ValueError: there is no such model, it is no image encoder known here, or its weights are not whole.
    """
    return _source(name).load(name, PARAM)


def fresh_top(name: str, blocks: int) -> "TopBlocks":
    """The last `blocks` blocks with random weights, which a checkpoint replaces; needs the config of the model.

    Raises:
        ValueError: as `load`, or the model has fewer blocks.
    """
    return _source(name).fresh(name, PARAM, blocks).top(blocks)


def known_blocks(name: str) -> int | None:
    """Blocks that training can change, of a model in a folder; None for other names.

    Raises:
        ValueError: a folder without a readable config.json, or with a model that `load` refuses by its config.
    """
    if _library(name) != "transformers" or not Path(name).is_dir():
        return None
    fields = strict_loading.config_fields(name, PARAM, "image")
    family = image_families.family_of(fields, name, PARAM)
    return 0 if family.norm is None else image_families.vision_fields(fields).get("num_hidden_layers", 12)


def dim(name: str) -> int:
    """Width of an embedding; needs the config of the model alone.

    Raises:
        ValueError: as `load`.
    """
    return _source(name).fresh(name, PARAM, 0).dim()


def parameters(name: str) -> int:
    """Number of parameters of the whole encoder.

    Raises:
        ValueError: as `load`.
    """
    import torch

    with torch.device("meta"):  # without memory for weights
        whole = _source(name).fresh(name, PARAM, 0)
    return sum(parameter.numel() for parameter in whole.model.parameters())


def pinned(name: str) -> str:
    """The name with the revision that it stands for now: the commit of a hub id, the weights of torchvision."""
    library, place = _library(name), strict_loading.split(name)[0]
    if library == "torchvision":
        from avemotion.models.vision import torchvision_images

        return f"{place}@{torchvision_images.weights_of(name)}"
    if library == "timm":
        return name
    commit = strict_loading.commit(name)
    return name if commit is None else f"{place}@{commit}"


def absolute(name: str) -> str:
    """The name with the absolute path of a folder; names of published models as they are."""
    place = name.removeprefix("timm:")
    return name[: len(name) - len(place)] + str(Path(place).absolute()) if Path(place).is_dir() else name


def _library(name: str) -> str:
    prefix, colon, _ = name.partition(":")
    return prefix if colon and prefix in LIBRARIES else "transformers"


def _source(name: str) -> "ModuleType":
    from avemotion.models.vision import timm_images, torchvision_images, transformers_images

    return {
        "torchvision": torchvision_images,
        "timm": timm_images,
        "transformers": transformers_images,
    }[_library(name)]
