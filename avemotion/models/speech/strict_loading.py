"""Published weights: loaded whole and in float32, or refused. No tensor of the result is random."""

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from avemotion.system.memory import out_of_memory

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

Model = TypeVar("Model", bound="PreTrainedModel")
UNUSED = {"masked_spec_embed"}  # SpecAugment inside the model, which is never trained with it here
SHOWN = 3  # names of tensors in a message


def load(
    kind: type[Model],
    name: str,
    config: "PretrainedConfig | None",
    param: str,
    types: Collection[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Model:
    """A model in eval mode and float32 with every tensor from its checkpoint.

    transformers itself fills tensors that a checkpoint lacks with random numbers, and loads a model of another type
    under a warning (huggingface/transformers#32433).

    Args:
        kind: class of transformers.
        name: hub id, with @revision for another than its default branch, or folder.
        config: None = the checkpoint's own.
        param: key of params.yaml that gives the name, for messages.
        types: values of model_type in its config.json; None = that of kind.
        arguments: of kind's constructor, besides the config.

    Raises:
        ValueError: the checkpoint is of another model type, or lacks tensors of the model, or has others or other
            shapes inside it, or does not decode; or there is no such checkpoint. Parts beside the model, such as
            the head of a fine-tuned checkpoint, are left out and printed.
    """
    import torch

    assert kind.config_class is not None
    own = kind.config_class.model_type
    _refuse_other(config_fields(name, param, own), types or {own}, name, param)
    options: dict[str, Any] = {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
    options |= arguments or {}
    try:
        with _quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # of tensors in UNUSED
            place, revision = split(name)
            loaded: Any = kind.from_pretrained(place, config=config, revision=revision or "main", **options)
    except OSError as error:
        raise _unavailable(name, param, own, error) from error
    except Exception as error:  # a damaged file raises errors of safetensors, zipfile, pickle and struct
        if out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{param} is {name!r}, whose weights do not load ({reason}); download them again") from error
    model, report = loaded
    _refuse_partial(model, report, name, param)
    return model.eval()


def _refuse_other(fields: Mapping[str, Any], types: Collection[str], name: str, param: str) -> None:
    """Raises ValueError if config.json is of another model type."""
    if (found := fields.get("model_type")) not in types:
        expected = " or ".join(sorted(types))
        raise ValueError(f"{param} is {name!r}, whose config.json has model_type {found}; give a {expected}")


def config_fields(name: str, param: str, expected: str) -> dict[str, Any]:
    """The fields of config.json of any model.

    Args:
        expected: kind of model, for messages.

    Raises:
        ValueError: there is no such checkpoint, or it is no model of transformers.
    """
    from transformers import PretrainedConfig

    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise _unavailable(name, param, expected)
    try:
        place, revision = split(name)
        fields, _ = PretrainedConfig.get_config_dict(place, revision=revision)
    except (OSError, ValueError) as error:
        raise _unavailable(name, param, expected, error) from error
    if not isinstance(fields, dict) or not fields.get("model_type"):  # no config.json gives {}
        raise ValueError(
            f"{param} is {name!r}, which has no config.json with a model_type, so it is no model of transformers; give "
            f"a {expected} model"
        )
    return fields


def split(name: str) -> tuple[str, str | None]:
    """Hub id and revision of <hub id>@<revision>; None = the default branch. A folder has no revision."""
    if Path(name).is_dir():
        return name, None
    place, _, revision = name.partition("@")
    return place, revision or None


def commit(name: str) -> str | None:
    """The commit that a hub id stands for in the local cache, where `load` puts it; None for a folder."""
    from huggingface_hub import try_to_load_from_cache

    place, revision = split(name)
    if Path(place).is_dir():
        return None
    file = try_to_load_from_cache(place, "config.json", revision=revision)
    return Path(file).parent.name if isinstance(file, str) else None  # .../snapshots/<commit>/config.json


def _refuse_partial(model: "PreTrainedModel", report: dict, name: str, param: str) -> None:
    parts = {part for part, _ in model.named_children()}
    prefix = f"{model.base_model_prefix}."
    foreign = set(report["unexpected_keys"])
    inside = {key for key in foreign if key.removeprefix(prefix).split(".")[0] in parts}
    faults = {
        "lacks": set(report["missing_keys"]) - UNUSED,
        "has, besides the model's own,": inside,
        "has another shape of": {key for key, *_ in report["mismatched_keys"]},
    }
    for verb, keys in faults.items():
        if keys:
            raise ValueError(
                f"{param} is {name!r}, whose checkpoint {verb} {_listed(keys)}; its config.json and its weights do not "
                "belong together, or the file is cut short: download both again"
            )
    if beside := foreign - inside:
        print(f"{param} {name}: {_listed(beside)} left out, no part of {type(model).__name__}", file=sys.stderr)


def _listed(keys: set[str]) -> str:
    names = sorted(keys)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _unavailable(name: str, param: str, expected: str, error: Exception | None = None) -> ValueError:
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    cause, (place, revision) = error and error.__cause__, split(name)
    if isinstance(cause, RevisionNotFoundError):
        return ValueError(
            f"{param} is {place!r}, which has no revision {revision!r}; give a branch, tag or commit that the hub "
            "lists for it, or null"
        )
    if isinstance(cause, RepositoryNotFoundError):
        return ValueError(
            f"{param} is {place!r}, which is neither a folder nor a public model of the hub; correct the name, or give "
            "a folder with the downloaded model"
        )
    reason = "it is neither in the local cache nor downloadable"
    if Path(name).is_dir():
        reason = f"the folder holds no {expected} model (a readable config.json and model.safetensors)"
    return ValueError(
        f"{param} is {name!r}, but {reason}; connect to the network once, or give a folder with the downloaded model"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the table of tensors that transformers prints; errors here name them."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
