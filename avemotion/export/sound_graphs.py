"""Features of a waveform as parts of a graph: what the extractors compute for a clean recording.

Shape letters: S samples at 16 kHz, T steps, H hidden size, L hidden layers, M mel bands.
"""

from typing import Any

import torch
import torchaudio
from torch import Tensor, nn

from avemotion.export.onnx_file import Span
from avemotion.features import mel, wavlm
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.models.speech import pretrained
from avemotion.params.training.speech import SpeechParams

SHORTEST = 1600  # samples; `predict` takes shorter sounds as none
LONGEST = 60 * SAMPLE_RATE  # samples, where the features set no other limit
EXAMPLE = 2 * SAMPLE_RATE


class SpeechStates(nn.Module):
    """WavLM's hidden states: waveform [S] -> {"boundary" [1, T, H], "last" [1, T, H], "layers" [1, T, L, H]}.

    A recording is computed as a whole, so it may not be longer than the window of attention (`span`).
    """

    def __init__(self, settings: dict[str, Any]):
        """settings: of the wavlm features, as in a checkpoint.

        Raises:
            ValueError: features in bfloat16, whose values no float32 graph has; or a speech encoder that is no WavLM.
        """
        super().__init__()
        params, speech = wavlm.Params(**settings["params"]), SpeechParams(**settings["speech"])
        if params.precision != "fp32":
            raise ValueError(
                f"the models were trained with features.wavlm.precision: {params.precision}, whose values a graph in "
                "float32 does not have; train with fp32"
            )
        self.model = pretrained.load(speech.model)
        config = self.model.config
        if config.model_type != "wavlm":
            raise ValueError(
                f"the models were trained with speech.model: {speech.model}, of type {config.model_type}; the export "
                "has graphs of WavLM alone, so train with a WavLM, or predict without an export"
            )
        self.normalize = pretrained.normalizes_input(speech.model, config)
        self.half = params.dtype == "float16"
        self.boundary, self.kept = pretrained.boundary_layer(config, speech.unfreeze_layers), list(params.layers)
        self.stable = bool(config.do_stable_layer_norm)
        self.fixed = None if params.seconds is None else round(params.seconds * SAMPLE_RATE)
        longest = min(params.max_seconds, params.window_seconds)
        self.span = samples(LONGEST if self.fixed else round(longest * SAMPLE_RATE))

    def forward(self, waveform: Tensor) -> dict[str, Tensor]:
        """waveform [S] -> states by name, as the feature cache has them."""
        sound = waveform[None] if self.fixed is None else fitted(waveform, self.fixed)[None]
        if self.normalize:
            mean, variance = sound.mean(1, keepdim=True), sound.var(1, keepdim=True, correction=0)
            sound = (sound - mean) / (variance + 1e-7).sqrt()
        features = self.model.feature_extractor(sound)
        hidden = self.model.feature_projection(features.transpose(1, 2))[0]
        encoder = self.model.encoder
        hidden = hidden + encoder.pos_conv_embed(hidden)
        hidden = hidden if self.stable else encoder.layer_norm(hidden)
        states, position_bias = [], None
        for layer in encoder.layers:
            states.append(hidden)
            hidden, position_bias = layer(hidden, attention_mask=None, position_bias=position_bias)[:2]
        states.append(encoder.layer_norm(hidden) if self.stable else hidden)
        named = {"boundary": states[self.boundary], "last": states[-1]}
        if self.kept:
            named["layers"] = torch.stack([states[layer] for layer in self.kept], 2)
        return {name: rows.half().float() if self.half else rows for name, rows in named.items()}


class LogMel(nn.Module):
    """Log-mel spectrogram: waveform [S] -> [1, T, M] dB, mask [1, T]. Trimming comes before it."""

    def __init__(self, settings: dict[str, Any]):
        """settings: of the mel features, as in a checkpoint."""
        super().__init__()
        params = self.params = mel.Params(**settings["params"])
        self.fixed = None if params.seconds is None else round(params.seconds * SAMPLE_RATE)
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE,
            n_fft=params.n_fft,
            win_length=params.window,
            hop_length=params.hop,
            f_min=params.low,
            f_max=params.high,
            n_mels=params.mels,
        )
        self.decibel = torchaudio.transforms.AmplitudeToDB("power", top_db=params.top_db)
        self.span = samples(LONGEST)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """waveform [S] -> log-mel [1, T, M], mask [1, T]."""
        sound = waveform if self.fixed is None else fitted(waveform, self.fixed)
        rows = self.decibel(self.spectrogram(sound[None, None])).squeeze(1).transpose(1, 2)
        rows = rows.half().float() if self.params.dtype == "float16" else rows
        real = 1 + waveform.shape[0] // self.params.hop
        return rows, (torch.arange(rows.shape[1]) < real)[None]


def samples(high: int) -> Span:
    """The number of samples of a waveform."""
    return Span(name="samples", low=SHORTEST, high=high, example=min(high, EXAMPLE))


def fitted(waveform: Tensor, size: int) -> Tensor:
    """waveform [S] -> [size], cut or with zeros behind it."""
    return torch.cat([waveform, waveform.new_zeros(size)])[:size]
