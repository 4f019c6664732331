"""Pretrained WavLM models (Chen et al. 2022, arXiv 2110.13900) by name.

The import of torch and transformers takes seconds, so each function imports what it uses.
"""

import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.models.speech import tiny

if TYPE_CHECKING:
    from transformers import WavLMConfig, WavLMModel

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
    """(transformer layers, hidden size) of a model in CONFIGS, without any import; None for other models."""
    if name not in CONFIGS:
        return None
    return CONFIGS[name].get("num_hidden_layers", 12), CONFIGS[name].get("hidden_size", 768)


def config_for(name: str) -> "WavLMConfig":
    """The architecture of a model; names in CONFIGS need no download.

    Layer drop and time masking are off, because cached states would differ from those in training.

    Raises:
        ValueError: another name that is no folder with a config and cannot be downloaded.
    """
    from transformers import WavLMConfig

    if name in CONFIGS:
        return WavLMConfig(**CONFIGS[name], layerdrop=0.0, apply_spec_augment=False)
    try:
        return WavLMConfig.from_pretrained(name, layerdrop=0.0, apply_spec_augment=False)
    except (OSError, ValueError) as error:
        raise _unavailable(name) from error


def load(name: str, seed: int = 0) -> "WavLMModel":
    """A WavLM in eval mode. `tiny` has fixed random weights and prints a note about that.

    Args:
        seed: of tiny's weights. They stand in for a checkpoint, so they do not depend on the seed of the run.

    Raises:
        ValueError: the weights are not in a folder, not in the local cache, and cannot be downloaded.
    """
    import torch
    from transformers import WavLMModel

    if name == "tiny":
        if multiprocessing.parent_process() is None:  # once, not in every worker
            print("speech.model tiny: an untrained WavLM; its scores are not those of WavLM", file=sys.stderr)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = WavLMModel(config_for(name))
            tiny.set_filterbank(model)
        return model.eval()
    try:
        return WavLMModel.from_pretrained(name, config=config_for(name)).eval()
    except (OSError, ValueError) as error:
        raise _unavailable(name) from error


def normalizes_input(name: str, config: "WavLMConfig") -> bool:
    """Whether the model expects waveforms of zero mean and unit variance, as the large models do."""
    return name != "tiny" and config.feat_extract_norm == "layer"


def boundary_layer(config: "WavLMConfig", layers: int) -> int:
    """Index of the first of the last `layers` transformer layers; ValueError if the model has fewer layers."""
    if not 0 <= layers <= config.num_hidden_layers:
        raise ValueError(
            f"speech.unfreeze_layers is {layers}, but the model has {config.num_hidden_layers} layers; "
            f"give 0 to {config.num_hidden_layers}"
        )
    return config.num_hidden_layers - layers


def _unavailable(name: str) -> ValueError:
    reason = "the folder holds no WavLM" if Path(name).is_dir() else "it is neither in the local cache nor downloadable"
    return ValueError(
        f"speech.model is {name!r}, but {reason}; connect to the network once, give a folder with the "
        f"downloaded model, or choose one of {', '.join(CONFIGS)}"
    )
