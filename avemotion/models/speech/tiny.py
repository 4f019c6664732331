"""The untrained stand-in for WavLM: its sizes, and convolutions that act as a filterbank."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import WavLMModel

SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "feat_extract_norm": "layer",  # over channels, not time: a frame does not depend on padding or on the other frames
    "conv_dim": (96, 96),
    "conv_kernel": (640, 16),
    "conv_stride": (20, 16),  # 320 samples per frame, as in every WavLM
    "conv_bias": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 8,
    "num_buckets": 64,
    "max_bucket_distance": 200,
}


def set_filterbank(model: "WavLMModel") -> None:
    """Set tiny's two convolutions to band-pass filters spaced in mel and their mean over 20 ms.

    Random convolutions pass hardly any spectral information to the hidden states: speaker-independent linear probes of
    their mean over time then classify the emotions of the sample corpus far less accurately.
    """
    import torch

    with torch.no_grad():
        bands, smoothing = (block.conv for block in model.feature_extractor.conv_layers)
        channels, _, width = bands.weight.shape
        mel = torch.linspace(math.log(1 + 60 / 700), math.log(1 + 7600 / 700), channels, dtype=torch.float64)
        hertz = 700 * (mel.exp() - 1)
        seconds = (torch.arange(width, dtype=torch.float64) - (width - 1) / 2) / 16_000
        phase = 2 * math.pi * torch.rand(channels, 1, dtype=torch.float64)
        filters = torch.hann_window(width, periodic=False, dtype=torch.float64) * torch.cos(
            2 * math.pi * hertz[:, None] * seconds + phase
        )
        emphasis = (hertz / 500).clamp(min=0.5).sqrt()  # compensates for the lower energy of speech at high frequencies
        filters *= 20 * emphasis[:, None] / filters.norm(dim=1, keepdim=True)
        bands.weight.copy_(filters[:, None])
        # Layer norm follows; these constants preserve the difference between loud and quiet sounds.
        bands.bias.normal_(0, 0.5)
        smoothing.weight.mul_(0.3)
        smoothing.weight += 4 / smoothing.kernel_size[0] * torch.eye(channels)[:, :, None]
        smoothing.bias.normal_(0, 0.25)
