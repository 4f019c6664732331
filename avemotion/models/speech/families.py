"""The families of speech encoders that `speech.model` may name, by the model_type of their config.json.

All have convolutions over the waveform, one or more positional convolutions and a stack of transformer layers, whose
classes transformers names alike. Another family of this shape is another row of FAMILIES.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Family:
    """Names of a family in transformers, and where it differs from the others."""

    title: str
    prefix: str  # of its classes: <prefix>Config, <prefix>Model, <prefix>EncoderLayer
    relative_position: bool  # its layers share a relative position bias (layer_stacks.py)
    # Whether it takes waveforms of zero mean and unit variance: True = preprocessor_config.json says so; False = models
    # with layer norm in their convolutions do.
    states_normalisation: bool

    @property
    def config_class(self) -> "type[PretrainedConfig]":
        return getattr(import_module("transformers"), f"{self.prefix}Config")

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        return getattr(import_module("transformers"), f"{self.prefix}Model")

    def layer_class(self, config: "PretrainedConfig") -> "type[nn.Module]":
        """The class of a transformer layer: with norms before its parts (large models), or behind them."""
        style = "StableLayerNorm" if norm_first(config) else ""
        return getattr(import_module(self.model_class.__module__), f"{self.prefix}EncoderLayer{style}")


def _family(title: str, prefix: str) -> Family:
    return Family(title=title, prefix=prefix, relative_position=False, states_normalisation=True)


FAMILIES: dict[str, Family] = {
    "wavlm": Family(title="WavLM", prefix="WavLM", relative_position=True, states_normalisation=False),  # 2110.13900
    "wav2vec2": _family("wav2vec 2.0", "Wav2Vec2"),  # arXiv 2006.11477
    "hubert": _family("HuBERT", "Hubert"),  # arXiv 2106.07447
    "unispeech-sat": _family("UniSpeech-SAT", "UniSpeechSat"),  # arXiv 2110.05752
    "data2vec-audio": _family("data2vec-audio", "Data2VecAudio"),  # arXiv 2202.03555
}
# Speech encoders that the cache cannot serve, and why.
OTHERS = {
    "whisper": "its encoder takes a log-mel padded to 30 s, so its states depend on the padding",
    "wav2vec2-bert": "it takes log-mel filterbanks, not the waveform",
}
KNOWN = ", ".join(family.title for family in FAMILIES.values())


def of(config: "PretrainedConfig") -> Family:
    """The family of a config that `refuse` accepts."""
    return FAMILIES[config.model_type]


def norm_first(config: "PretrainedConfig") -> bool:
    """Whether norms lie before attention and feed-forward, and one behind the last layer: the style of large models."""
    return getattr(config, "do_stable_layer_norm", False)


def refuse(fields: Mapping[str, Any], name: str, param: str) -> None:
    """Check the fields of a config.json.

    Args:
        name: hub id or folder of the model. param: key of params.yaml that gives it.

    Raises:
        ValueError: a model of no family, or one with an adapter.
    """
    kind = fields.get("model_type")
    if kind not in FAMILIES:
        reason = f" ({OTHERS[kind]})" if kind in OTHERS else ""
        raise ValueError(f"{param} is {name!r}, whose config.json has model_type {kind}{reason}; give one of {KNOWN}")
    for key in ("add_adapter", "adapter_attn_dim"):
        if value := fields.get(key):
            raise ValueError(
                f"{param} is {name!r}, whose config.json has {key} {value}; adapters are not computed here, so give a "
                "model without one"
            )
