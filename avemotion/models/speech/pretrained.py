"""Pretrained WavLM models (Chen et al. 2022, arXiv 2110.13900) by name.

The import of torch and transformers takes seconds, so each function imports what it uses.
"""

import json
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.models.speech import strict_loading, tiny

if TYPE_CHECKING:
    from transformers import WavLMConfig, WavLMModel

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
REMEDY = f"give a folder with a downloaded WavLM, a hub id, or one of {', '.join(CONFIGS)}"


def known_sizes(name: str) -> tuple[int, int] | None:
    """(transformer layers, hidden size) of a model in CONFIGS or in a folder, without torch; None for other hub ids.

    Raises:
        ValueError: a folder without a readable config.json, or with a model that is no WavLM.
    """
    if name in CONFIGS:
        config = CONFIGS[name]
    elif Path(name).is_dir():
        config = _folder_config(Path(name))
    else:
        return None
    return config.get("num_hidden_layers", 12), config.get("hidden_size", 768)


def _folder_config(folder: Path) -> dict:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{PARAM} is {str(folder)!r}, which holds no readable config.json; {REMEDY}") from error
    if (found := config.get("model_type")) != "wavlm":
        raise ValueError(f"{PARAM} is {str(folder)!r}, whose config.json has model_type {found}; {REMEDY}")
    return config


def config_for(name: str) -> "WavLMConfig":
    """The architecture of a model; names in CONFIGS need no download.

    Layer drop and time masking are off, because cached states would differ from those in training.

    Raises:
        ValueError: another name that is no folder with a WavLM's config and cannot be downloaded.
    """
    from transformers import WavLMConfig

    own = CONFIGS[name] if name in CONFIGS else strict_loading.config_of(WavLMConfig, name, PARAM)
    return WavLMConfig(**own | {"layerdrop": 0.0, "apply_spec_augment": False})


def load(name: str, seed: int = 0) -> "WavLMModel":
    """A WavLM in eval mode. `tiny` has fixed random weights and prints a note about that.

    Args:
        seed: of tiny's weights. They stand in for a checkpoint, so they do not depend on the seed of the run.

    Raises:
        ValueError: strict_loading.load refuses the checkpoint.
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
    return strict_loading.load(WavLMModel, name, config_for(name), PARAM)


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
