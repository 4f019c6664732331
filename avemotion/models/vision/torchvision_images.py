"""Convolutional encoders of torchvision with its published weights, by `torchvision:<name>`.

The embedding of a picture is the global average of the last map, in ConvNeXt behind the norm that follows. Shape
letters: picture_encoder.py; C channels, h x w the size of a map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from avemotion.models.vision.picture_encoder import PictureEncoder
from avemotion.models.vision.picture_input import PictureInput

PREFIX = "torchvision:"
ConvParts = tuple[list[nn.Module], nn.Sequential]  # blocks, the first of which takes pixels; head


def _resnet(net: Any) -> ConvParts:
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
    return [stem, net.layer1, net.layer2, net.layer3, net.layer4], nn.Sequential(net.avgpool, nn.Flatten())


def _featured(net: Any) -> ConvParts:
    return list(net.features), nn.Sequential(net.avgpool, nn.Flatten())


def _convnext(net: Any) -> ConvParts:
    return list(net.features), nn.Sequential(net.avgpool, *net.classifier[:-1])


def _regnet(net: Any) -> ConvParts:
    return [net.stem, *net.trunk_output], nn.Sequential(net.avgpool, nn.Flatten())


@dataclass(frozen=True)
class ConvFamily:
    """Networks of one class of torchvision: how their names begin, and their parts."""

    title: str
    begins: tuple[str, ...]
    parts: Callable[[Any], ConvParts]


FAMILIES = (
    ConvFamily("ResNet", ("resnet", "resnext", "wide_resnet"), _resnet),
    ConvFamily("ConvNeXt", ("convnext",), _convnext),
    ConvFamily("EfficientNet", ("efficientnet",), _featured),
    ConvFamily("MobileNet", ("mobilenet_v3",), _featured),
    ConvFamily("RegNet", ("regnet",), _regnet),
)


def load(name: str, param: str) -> PictureEncoder:
    """A network with its weights.

    Args:
        name: torchvision:<network>, with @<weights> for others than its best, such as IMAGENET1K_V1.

    Raises:
        ValueError: torchvision has no such network or weights, or they are neither in torch's cache nor downloadable.
    """
    family, weights = _named(name, param)
    try:
        state = weights.get_state_dict(progress=True)
    except OSError as error:  # URLError is an OSError
        raise ValueError(
            f"{param} is {name!r}, whose weights are neither in torch's cache nor downloadable ({error}); put "
            f"{weights.url.rsplit('/', 1)[-1]} into {torch.hub.get_dir()}/checkpoints, or connect to the network once"
        ) from error
    net = _architecture(name)
    net.load_state_dict(state)
    return _encoder(family, net, weights)


def fresh(name: str, param: str, blocks: int) -> PictureEncoder:
    """A network with random weights, which a checkpoint replaces."""
    family, weights = _named(name, param)
    return _encoder(family, _architecture(name), weights)


def weights_of(name: str) -> str:
    """The name of the weights, such as IMAGENET1K_V2."""
    return _named(name, "vision.model")[1].name


def _architecture(name: str) -> nn.Module:
    from torchvision.models import get_model

    return get_model(name.removeprefix(PREFIX).partition("@")[0], weights=None)


def _named(name: str, param: str) -> tuple[ConvFamily, Any]:
    from torchvision.models import get_model_weights, list_models

    network, _, chosen = name.removeprefix(PREFIX).partition("@")
    family = next((of for of in FAMILIES if network.startswith(of.begins)), None)
    known = [other for other in list_models() if family and other.startswith(family.begins)]
    if family is None or network not in known:
        begins = ", ".join(start for of in FAMILIES for start in of.begins)
        more = f"; of this family torchvision has {', '.join(known)}" if known else ""
        raise ValueError(f"{param} is {name!r}; known are torchvision's networks {begins}...{more}")
    weights = get_model_weights(network)
    if not chosen:
        return family, weights["DEFAULT"]
    if chosen not in weights.__members__:
        listed = ", ".join(of.name for of in weights)
        raise ValueError(f"{param} is {name!r}, but torchvision's weights of {network} are {listed}; give one or null")
    return family, weights[chosen]


def _encoder(family: ConvFamily, net: nn.Module, weights: Any) -> PictureEncoder:
    net.eval()
    blocks, head = family.parts(net)
    preset = weights.transforms()
    pictures = PictureInput(
        size=preset.crop_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        mode=preset.interpolation.value,
    )
    whole = nn.Sequential(*blocks, head)
    return PictureEncoder(
        model=net,
        embed=whole,
        hooked=blocks,
        blocks=blocks,
        head=head,
        first=0,
        pictures=pictures,
        facts={"family": family.title, "embedding": "global average", "weights": weights.name},
    )
