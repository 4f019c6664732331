"""Pretrained speech encoders by name: models of transformers, of one of the families in families.py.

The import of torch and transformers takes seconds, so each function imports what it uses.
"""

import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avemotion.models.speech import families, preprocessor_config, strict_loading, tiny

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

PARAM = "speech.model"
# Arguments of WavLMConfig that differ from its defaults (those of wavlm-base): config_for needs no download for these.
_LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
}
CONFIGS: dict[str, dict] = {
    "tiny": tiny.SIZES,
    "microsoft/wavlm-base": {"activation_dropout": 0.0},
    "microsoft/wavlm-base-plus": {"activation_dropout": 0.0},
    "microsoft/wavlm-large": {"activation_dropout": 0.0, **_LARGE},
}


def known_sizes(name: str) -> tuple[int, int] | None:
    """(transformer layers, hidden size) of a model in CONFIGS or in a folder; None for other hub ids.

    Raises:
        ValueError: a folder without a readable config.json, or with a model that `load` refuses by its config.
    """
    if (known := _known(name)) is not None:
        fields = known
    elif Path(name).is_dir():
        fields = _fields(name)
        preprocessor_config.refuse(families.FAMILIES[fields["model_type"]], name, PARAM)
    else:
        return None
    return fields.get("num_hidden_layers", 12), fields.get("hidden_size", 768)  # base: the default of every family


def _known(name: str) -> dict[str, Any] | None:
    return CONFIGS.get(strict_loading.split(name)[0])


def _fields(name: str) -> dict[str, Any]:
    fields = strict_loading.config_fields(name, PARAM, "speech")
    families.refuse(fields, name, PARAM)
    return fields


def config_for(name: str) -> "PretrainedConfig":
    """The architecture of a model; names in CONFIGS need no download.

    Args:
        name: tiny, a folder, or a hub id; <hub id>@<revision> for another than its default branch.

    Layer drop and time masking are off, because cached states would differ from those in training.

    Raises:
        ValueError: another name that is no folder with a config of one of the families and cannot be downloaded.
    """
    known = _known(name)
    fields = _fields(name) if known is None else known
    family = families.FAMILIES[fields.get("model_type", "wavlm")]
    config = family.config_class(**fields | {"layerdrop": 0.0, "apply_spec_augment": False})
    if not family.relative_position:
        config._attn_implementation = "sdpa"  # transformers' default for a whole model; layers by themselves have none
    return config


def architecture(name: str) -> "PreTrainedModel":
    """A model with fresh weights."""
    config = config_for(name)
    return families.of(config).model_class(config)


def load(name: str, seed: int = 0) -> "PreTrainedModel":
    """A speech encoder in eval mode. `tiny` is a WavLM with fixed random weights and prints a note about that.

    Args:
        seed: of tiny's weights. They stand in for a checkpoint, so they do not depend on the seed of the run.

    Raises:
        ValueError: strict_loading.load or preprocessor_config.refuse refuses the checkpoint.
    """
    import torch

    if name == "tiny":
        if multiprocessing.parent_process() is None:  # once, not in every worker
            print("speech.model tiny: an untrained WavLM; its scores are not those of WavLM", file=sys.stderr)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model: Any = architecture(name)
            tiny.set_filterbank(model)
        return model.eval()
    config = config_for(name)
    if _known(name) is None:
        preprocessor_config.refuse(families.of(config), name, PARAM)
    return strict_loading.load(families.of(config).model_class, name, config, PARAM)


def normalizes_input(name: str, config: "PretrainedConfig") -> bool:
    """Whether the model expects waveforms of zero mean and unit variance."""
    if families.of(config).states_normalisation:
        return preprocessor_config.normalises(name, PARAM)
    return name != "tiny" and config.feat_extract_norm == "layer"


def commit(name: str) -> str | None:
    """The commit that a hub id stands for in the local cache, where `load` puts it; None for a folder and for tiny."""
    return None if name == "tiny" else strict_loading.commit(name)


def boundary_layer(config: "PretrainedConfig", layers: int) -> int:
    """Index of the first of the last `layers` transformer layers; ValueError if the model has fewer layers."""
    if not 0 <= layers <= config.num_hidden_layers:
        raise ValueError(
            f"speech.unfreeze_layers is {layers}, but the model has {config.num_hidden_layers} layers; "
            f"give 0 to {config.num_hidden_layers}"
        )
    return config.num_hidden_layers - layers
