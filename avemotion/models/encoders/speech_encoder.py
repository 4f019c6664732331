"""The audio model over the hidden states of a speech encoder.

Interface and shape letters: audio_model.py; here L further hidden layers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.blocks import Standardize, masked_mean
from avemotion.models.speech.layer_weighting import LayerWeighting
from avemotion.models.speech.pretrained import boundary_layer, config_for
from avemotion.models.speech.top_layers import TopLayers


class WavLM(AudioModel):
    """The last layers of WavLM (Chen et al. 2022) or of another speech encoder (models/speech/families.py) over cached
    states, mean over time, a two-layer head.

    The layers below are frozen. The feature cache stores their output, so they are not part of this module.

    With `layers` the states are a learned softmax-weighted sum of these layers and the last. A layer at or below the
    boundary is a constant from the cache. One above it is computed here, as training changes it.

    Args:
        standardize: whether the states are standardised by those of the training clips; without trained layers only.
        layers: of the cache, in the order of the input (0 = the input of the first layer); empty = the last alone.
    """

    def __init__(
        self,
        classes: int,
        model: str,
        unfreeze_layers: int,
        head_dim: int = 768,
        standardize: bool = False,
        layers: Sequence[int] = (),
    ):
        super().__init__()
        assert not (standardize and unfreeze_layers), "the input of WavLM's layers cannot be standardised"
        config = config_for(model)
        self.dim = self.sequence_dim = self.conv_dim = config.hidden_size
        self.layers, self.boundary = list(layers), boundary_layer(config, unfreeze_layers)
        self.step = (len(layers) + 1, self.dim) if layers else (self.dim,)
        self.normalize = Standardize(*self.step) if standardize else None
        self.top = TopLayers(config, unfreeze_layers)
        self.weighting = LayerWeighting(len(layers) + 1) if layers else None
        hidden, output = nn.Linear(self.dim, head_dim), nn.Linear(head_dim, classes)
        self.classifier = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(0.2), output)

    def encode(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, H] or [B, T, L + 1, H], mask [B, T] -> [B, H]."""
        return masked_mean(self.conv_sequence(audio, mask), mask)

    def encode_sequence(self, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, H] or [B, T, L + 1, H], mask [B, T] -> [B, T, H], mask."""
        return self.conv_sequence(audio, mask), mask

    def conv_sequence(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, H] or [B, T, L + 1, H], mask [B, T] -> [B, T, H]."""
        audio = audio if self.normalize is None else self.normalize(audio)
        if self.weighting is None:
            return self.top(audio, mask)
        audio = audio.masked_fill(
            ~mask[:, :, None, None], 0.0
        )  # NaN of padding would reach the gradient of the weights
        stored, states = audio.unbind(2), self.top.states(audio[:, :, -1], mask)
        above = {self.boundary + i: state for i, state in enumerate(states) if i}
        columns = [above.get(layer, stored[i]) for i, layer in enumerate(self.layers)]
        return self.weighting(torch.stack([*columns, states[-1]], 2))

    def head_parameters(self) -> list[nn.Parameter]:
        """Of the classifier, and the weights of the layers."""
        return super().head_parameters() + ([] if self.weighting is None else list(self.weighting.parameters()))

    def encoder_parameters(self, layers: int | None = None) -> list[nn.Parameter]:
        """The last layers without the position table, which belongs to the frozen first layer."""
        return self.top.last_parameters(len(self.top.layers) if layers is None else layers)
