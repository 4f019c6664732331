"""WavLM (Chen et al. 2022, arXiv 2110.13900): which one, and its last layers trained from cached states.

Shape letters: B utterances, T frames (one per 20 ms), H hidden size. Masks are [B, T], True = real.

transformers takes seconds to import, so it is imported where it is used.
"""

import math
import multiprocessing
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stages.lib.models import wavlm_tiny

if TYPE_CHECKING:
    from transformers import WavLMConfig, WavLMModel

# What config_for knows without a download, beyond transformers' own defaults (which are wavlm-base's).
_LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
}
CONFIGS: dict[str, dict] = {
    "tiny": wavlm_tiny.SIZES,
    "microsoft/wavlm-base": {"activation_dropout": 0.0},
    "microsoft/wavlm-base-plus": {"activation_dropout": 0.0},
    "microsoft/wavlm-large": {"activation_dropout": 0.0, **_LARGE},
}


@dataclass(frozen=True, kw_only=True)
class SpeechParams:
    """Section `speech`: the speech encoder and how much of it is trained."""

    model: str  # tiny (untrained), a hub id such as microsoft/wavlm-base, or a folder with a downloaded model
    unfreeze_layers: int  # last transformer layers that training may change; the cache holds what enters them

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model is empty; give tiny, microsoft/wavlm-base or a folder")
        if self.unfreeze_layers < 0:
            raise ValueError(f"unfreeze_layers is {self.unfreeze_layers}; give 0 (none) or more")


def config_for(name: str) -> "WavLMConfig":
    """The architecture behind a name, without downloading anything for the names in CONFIGS.

    Layer drop and time masking are off: both would make a cached state differ from what training sees.

    Raises:
        ValueError: another name whose config is neither a folder nor reachable.
    """
    from transformers import WavLMConfig

    fixed = {"layerdrop": 0.0, "apply_spec_augment": False}
    if name in CONFIGS:
        return WavLMConfig(**CONFIGS[name], **fixed)
    try:
        return WavLMConfig.from_pretrained(name, **fixed)
    except (OSError, ValueError) as error:
        raise _unavailable(name) from error


def load(name: str, seed: int = 0) -> "WavLMModel":
    """A WavLM in eval mode. `tiny` has fixed random weights and says so.

    Args:
        seed: of tiny's weights; it stands in for a checkpoint, so the run's own seed does not enter.

    Raises:
        ValueError: the weights are neither in a folder, nor in the local cache, nor to be downloaded.
    """
    from transformers import WavLMModel

    if name == "tiny":
        if multiprocessing.parent_process() is None:  # once, not in every worker
            print("speech.model tiny: an untrained WavLM, its scores say nothing about WavLM", file=sys.stderr)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = WavLMModel(config_for(name))
            wavlm_tiny.set_filterbank(model)
        return model.eval()
    try:
        return WavLMModel.from_pretrained(name, config=config_for(name)).eval()
    except (OSError, ValueError) as error:
        raise _unavailable(name) from error


def normalizes_input(name: str, config: "WavLMConfig") -> bool:
    """Whether the waveform is brought to zero mean and unit variance first: so the large models were trained."""
    return name != "tiny" and config.feat_extract_norm == "layer"


def boundary_layer(config: "WavLMConfig", layers: int) -> int:
    """Index of the first of the last `layers` transformer layers; ValueError if there are fewer."""
    if not 0 <= layers <= config.num_hidden_layers:
        raise ValueError(
            f"speech.unfreeze_layers is {layers}, but the model has {config.num_hidden_layers} layers; "
            f"give 0 to {config.num_hidden_layers}"
        )
    return config.num_hidden_layers - layers


class TopLayers(nn.Module):
    """The last N transformer layers of a WavLM, run from the cached state that enters them.

    Exact, because a layer above the first sees of the lower part only that state and the relative
    position bias, a frozen table of layer 0. State dict keys carry the layers' own numbers
    (`layers.11.attention...`), so weights of different N fit each other.
    """

    def __init__(self, config: "WavLMConfig", layers: int):
        """Fresh weights, to be filled from a checkpoint or `from_model`. layers = 0 passes its input on."""
        from transformers.models.wavlm.modeling_wavlm import WavLMEncoderLayer, WavLMEncoderLayerStableLayerNorm

        super().__init__()
        first = boundary_layer(config, layers)
        kind = WavLMEncoderLayerStableLayerNorm if config.do_stable_layer_norm else WavLMEncoderLayer
        self.heads, self.max_distance = config.num_attention_heads, config.max_bucket_distance
        self.layers = nn.ModuleDict(
            {str(i): kind(config, has_relative_position_bias=i == 0) for i in range(first, config.num_hidden_layers)}
        )
        self.layer_norm = self.relative_position = None
        if layers and config.do_stable_layer_norm:
            self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        if layers and first > 0:
            self.relative_position = nn.Embedding(config.num_buckets, config.num_attention_heads)
            self.relative_position.requires_grad_(False)

    @classmethod
    def from_model(cls, model: "WavLMModel", layers: int) -> "TopLayers":
        """A copy of the last layers of a loaded model."""
        top = cls(model.config, layers)
        encoder = model.encoder
        for name, layer in top.layers.items():
            layer.load_state_dict(encoder.layers[int(name)].state_dict())
        if top.layer_norm is not None:
            top.layer_norm.load_state_dict(encoder.layer_norm.state_dict())
        if top.relative_position is not None:
            top.relative_position.load_state_dict(encoder.layers[0].attention.rel_attn_embed.state_dict())
        return top

    def forward(self, boundary: Tensor, mask: Tensor, skip: int = 0) -> Tensor:
        """boundary [B, T, H], mask [B, T] -> last hidden state [B, T, H]; padded frames hold no meaning.

        skip: leaves out that many of the last layers: what enters them is returned.
        """
        layers = list(self.layers.values())[: len(self.layers) - skip]
        if not layers:
            return boundary
        hidden, position_bias = boundary.masked_fill(~mask.unsqueeze(-1), 0.0), None  # padding may hold anything
        # An utterance without any frame (no sound at all) would give 0/0 in the softmax.
        mask = mask | ~mask.any(1, keepdim=True)
        if self.relative_position is not None:
            position_bias = self._position_bias(boundary.shape[1]).repeat(len(boundary), 1, 1)
        with warnings.catch_warnings():
            # transformers passes a boolean mask beside a float bias, which torch will want to be of one type.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            for layer in layers:
                hidden, position_bias = layer(hidden, attention_mask=mask, position_bias=position_bias)
        return hidden if self.layer_norm is None or skip else self.layer_norm(hidden)

    def _position_bias(self, length: int) -> Tensor:
        """[heads, T, T]: a learned value for each bucket of the distance between key and query."""
        frames = torch.arange(length, device=self.relative_position.weight.device)
        distance = frames[None, :] - frames[:, None]
        half = self.relative_position.num_embeddings // 2
        exact = half // 2  # buckets of one distance each; the rest widen logarithmically (T5, arXiv 1910.10683)
        steps = torch.log(distance.abs().float() / exact) / math.log(self.max_distance / exact) * (half - exact)
        wide = (exact + steps.clamp(min=0)).long().clamp(max=half - 1)
        bucket = torch.where(distance.abs() < exact, distance.abs(), wide) + half * (distance > 0)
        return self.relative_position(bucket).permute(2, 0, 1)


def _unavailable(name: str) -> ValueError:
    where = "the folder holds no WavLM" if Path(name).is_dir() else "it is neither in the local cache nor downloadable"
    return ValueError(
        f"speech.model is {name!r}, but {where}; connect to the network once, give a folder with the "
        f"downloaded model, or choose one of {', '.join(CONFIGS)}"
    )
