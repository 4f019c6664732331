"""Checkpoints: weights as safetensors, and a JSON of the arguments that rebuild the model.

The same weights give the same bytes. Reading a checkpoint executes no code from it.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)
NONE = Path("data/none")  # in params: no checkpoint
REMAKE = "run the stage that writes it (dvc repro)"
WRAPPERS = ("module.", "model.")  # prefixes that DataParallel and Lightning give to every name
CLASSIFIER = "classifier."
OUTDATED = "trained by another version of the code; run `dvc repro`"


def save(folder: Path, model: nn.Module, config: dict[str, Any]) -> None:
    """Write model.safetensors and model.json into folder.

    Args:
        config: the arguments that rebuild the model, and the origin of its weights.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in sorted(model.state_dict().items())}
    save_tensors(state, folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def save_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write a .safetensors file.

    Raises:
        OSError: no space left, or no permission (instead of safetensors' own error).
    """
    try:
        save_file(dict(tensors), file)
    except SafetensorError as error:
        if not (code := re.search(r"os error (\d+)", str(error))):
            raise
        number = int(code[1])
        raise OSError(number, os.strerror(number), str(file)) from error


def load(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and weights that `save` wrote.

    Raises:
        ValueError: a file is missing or damaged.
    """
    try:
        config = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{folder / 'model.json'}: {error}; {REMAKE}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{folder / 'model.json'}: holds no names and values; {REMAKE}")
    return config, read_weights(folder / "model.safetensors")


def rebuild(folder: Path, build: Callable[..., Model]) -> tuple[dict[str, Any], Model]:
    """The config that `save` wrote and build(**config["architecture"]) with its weights.

    Raises:
        ValueError: a file is missing or damaged, or belongs to another model.
    """
    config, state = load(folder)
    try:
        model = build(**config["architecture"])
        model.load_state_dict(state)
    except Exception as error:  # arguments of a damaged or foreign file may raise any error
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{folder}: {OUTDATED} ({reason})") from error
    return config, model


def read_weights(file: Path) -> dict[str, Tensor]:
    """Weights of a .safetensors file, or of a .pt holding a state dict or {"model": state dict}.

    Raises:
        ValueError: the file is missing, damaged, or holds anything but tensors of numbers.
    """
    content: Any
    remedy = "give a .safetensors file, or a .pt with a state dict or {'model': state dict}"
    try:
        if file.suffix == ".safetensors":
            content = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)  # never executes a pickle's code
    except Exception as error:  # on a damaged file the unpickler may raise any error
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{file}: not a readable checkpoint ({reason}); {remedy}") from error
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{file}: holds something else than named tensors; {remedy}")
    if broken := [name for name, value in state.items() if not value.isfinite().all()]:
        raise ValueError(f"{file}: weight '{broken[0]}' is NaN or infinite: its training diverged; {REMAKE}")
    return dict(state)


def warm_start_from(source: Path, part: nn.Module, classes: list[str], fold: str | None) -> dict[str, list[str]]:
    """Load a trained audio or video model into `part`; returns the names of the weights, as warm_start.

    A classifier of other classes is left out. Whose clips trained the source is not known here: a stage of this chain
    has one folder per fold, trained without the speakers of that fold; for any other source it is up to the user.

    Args:
        source: folder of a model, or of a stage with one folder per fold, or a file of weights.
        fold: name of the folder of this fold.

    Raises:
        ValueError: source is not readable, or its encoder has another shape or weighs other hidden layers.
    """
    if source.is_file():
        return warm_start(part, read_weights(source), str(source))
    folder = source / fold if fold and not (source / "model.json").exists() else source
    config, state = load(folder)
    given, own = config.get("audio", {}).get("layers"), getattr(part, "layers", None)
    if given and own and given != own:  # weights of as many layers would fit in shape
        raise ValueError(
            f"{folder}: its audio.layers are weights of the layers {given}, the model's are of {own}; give "
            "features.wavlm.layers the same, or re-run the stage that wrote it"
        )
    return warm_start(part, state, str(folder), classifier=config.get("classes") == classes)


def warm_start(
    model: nn.Module, state: Mapping[str, Tensor], source: str, classifier: bool = True
) -> dict[str, list[str]]:
    """Copy the weights of state into model, name by name.

    Prefixes of wrappers are dropped, and torchvision's names are mapped where the model has such a map. A classifier of
    another number of classes is left out, which is printed.

    Args:
        source: the checkpoint's path, for messages.
        classifier: False leaves the classifier out.

    Returns:
        {"taken", "missing", "unused"}: copied names, names of model that keep their initial values, names of state (in
        the model's naming) that are not copied.

    Raises:
        ValueError: two weights of one name differ in more than the classifier's number of classes, no name occurs in
            both, or two names mean one weight.
    """
    own = model.state_dict()
    names = {name: _own_name(name, own, getattr(model, "torchvision", {})) for name in state}
    if len(set(names.values())) < len(names):
        raise ValueError(f"{source}: two of its names mean the same weight; give one model without its wrapped copy")
    state = {names[name]: value for name, value in state.items()}
    shared = own.keys() & state.keys()
    of_classifier = {name for name in shared if name.startswith(CLASSIFIER)}
    wrong = {name for name in shared if own[name].shape != state[name].shape}
    for name in sorted(wrong):
        if name in of_classifier and _other_classes(own[name], state[name]):
            continue
        raise ValueError(
            f"{source}: '{name}' has shape {list(state[name].shape)}, the model needs {list(own[name].shape)}; "
            "it was trained with other params (encoder or speech.model): re-run the stage that wrote it"
        )
    if of_classifier and (wrong or not classifier):
        print(f"{source}: its classifier is of other classes and left out: {', '.join(sorted(of_classifier))}")
        shared -= of_classifier
    taken = sorted(shared)
    if not taken:
        raise ValueError(f"{source}: shares no weight name with the model; is it a checkpoint of another encoder?")
    model.load_state_dict({name: state[name] for name in taken}, strict=False)
    return {"taken": taken, "missing": sorted(own.keys() - set(taken)), "unused": sorted(state.keys() - set(taken))}


def _other_classes(own: Tensor, given: Tensor) -> bool:
    """Whether two weights of a classifier differ in the number of classes alone, their first dimension."""
    return own.dim() == given.dim() and own.shape[1:] == given.shape[1:]


def _own_name(name: str, own: Mapping[str, Tensor], torchvision: Mapping[str, str]) -> str:
    """A name of a checkpoint as the model would name it; unchanged where nothing applies."""
    short = name
    while short not in own and short.startswith(WRAPPERS):
        short = short.partition(".")[2]
    if short not in own:
        for prefix, ours in torchvision.items():
            if short.startswith(prefix):
                return ours + short.removeprefix(prefix)
    return short if short in own else name
