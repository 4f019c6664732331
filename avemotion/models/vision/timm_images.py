"""Image encoders of timm (extra `timm`), by `timm:<name>`; they run frozen.

The embedding of a picture is timm's own: what its classifier would take. Shape letters: picture_encoder.py.
"""

from pathlib import Path
from typing import Any

from avemotion.models.vision.picture_encoder import PictureEncoder
from avemotion.models.vision.picture_input import PictureInput

PREFIX = "timm:"
REMEDY = "run with `uv run --extra timm dvc repro`, or name a model of transformers or torchvision"


def load(name: str, param: str) -> PictureEncoder:
    """A model with its pretrained weights.

    Args:
        name: timm:<model>, such as timm:resnet50.a1_in1k, with @<revision> of its hub repository; or timm:<folder>.

    Raises:
        ValueError: timm is not installed, or has no such model, or its weights are not available.
    """
    return _made(name, param, pretrained=True)


def fresh(name: str, param: str, blocks: int) -> PictureEncoder:
    """A model with random weights."""
    return _made(name, param, pretrained=False)


def _made(name: str, param: str, pretrained: bool) -> PictureEncoder:
    try:
        import timm
        from timm.data import resolve_model_data_config
    except ImportError as error:
        raise ValueError(f"{param} is {name!r}, which needs the optional package timm; {REMEDY}") from error
    try:
        model: Any = timm.create_model(_place(name), pretrained=pretrained, num_classes=0)
    except Exception as error:  # of the registry, the hub's client, or the file of weights
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{param} is {name!r}, which timm cannot load ({reason}); give a name of timm.list_models(pretrained=True) "
            "and connect to the network once, or timm:<folder> with config.json and model.safetensors"
        ) from error
    facts = resolve_model_data_config(model)
    if facts["interpolation"] not in ("bilinear", "bicubic") or facts["input_size"][0] != 3:
        raise ValueError(f"{param} is {name!r}, which takes pictures as {facts}; give a model of RGB pictures")
    return PictureEncoder(
        model=model.eval(),
        embed=model,
        hooked=[],
        blocks=[],
        head=None,
        first=0,
        pictures=PictureInput(
            size=facts["input_size"][1],
            mean=tuple(facts["mean"]),
            std=tuple(facts["std"]),
            mode=facts["interpolation"],
        ),
        facts={"family": "timm", "embedding": "input of timm's classifier"},
    )


def _place(name: str) -> str:
    """The name as timm.create_model takes it."""
    place = name.removeprefix(PREFIX)
    if Path(place).is_dir():
        return f"local-dir:{Path(place).absolute()}"
    model, _, revision = place.partition("@")
    return f"hf-hub:timm/{model}@{revision}" if revision else model
