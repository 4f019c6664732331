"""Hidden states of whole recordings; those of one recording do not depend on the others in its batch.

Shape letters: V views of a recording (equally long), S samples, T frames (one per 20 ms), H hidden size, B rows.

Padding a waveform would change the output of base models: their group norm computes mean and variance over time. The
convolutions therefore run on one recording at a time. The transformer, which has masks, runs on padded rows. The padded
shape of a row depends only on its own length. Rows of one length thus always use the same kernels and get the same last
bit, whatever else is in the batch.

A recording longer than `window` is computed in overlapping windows. The convolutions give the same output as for the
whole recording, because their statistics over time are those of the whole. Attention is limited to a window.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avemotion.models.speech import layer_stacks

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

STEP = 32  # frames; rows of a batch are padded to a multiple
BLOCK = 1 << 20  # samples; the statistics over time of a long recording are computed in such blocks


@dataclass(frozen=True)
class Piece:
    """Frames first..last of a recording, the input of the transformer; the output of start..stop is kept."""

    first: int
    start: int
    stop: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Window:
    """The window of attention in recordings that are longer."""

    frames: int  # in the attention of one window, overlap included
    overlap: int  # on both sides of a window: context without output

    def __post_init__(self) -> None:
        assert self.frames > 2 * self.overlap >= 0, self


WINDOW = Window(frames=1000, overlap=100)


@dataclass(frozen=True)
class Row:
    """One view of one piece, waiting for a batch."""

    target: dict[int, Tensor]  # layer -> [V, T, H] of its recording
    view: int
    piece: Piece
    frames: Tensor  # [T, H]


class HiddenStates:
    """Computes the hidden states of a frozen model for many recordings."""

    def __init__(
        self,
        model: "PreTrainedModel",
        layers: Sequence[int],
        *,
        normalize: bool,
        bf16: bool = False,
        window: Window = WINDOW,
        batch_frames: int | None = None,
    ):
        """
        Args:
            model: of one of models.speech.families, in eval mode; WavLM's attention is replaced by a faster one with
                the same output.
            layers: 0 = the input of the first layer, k = the output of layer k; the number of layers = the last hidden
                state.
            normalize: scale each recording to zero mean and unit variance.
            bf16: matrix products in bfloat16.
            batch_frames: padded frames in a batch of rows of several recordings; None = batches of the views of one
                piece, without padding (as fast on a CPU, where one row uses all of it).
        """
        self.model, self.layers, self.normalize, self.bf16 = model, sorted(set(layers)), normalize, bf16
        self.window, self.batch_frames = window, batch_frames
        self.hop = math.prod(model.config.conv_stride)
        self.stack = layer_stacks.of(model.config)
        self.stack.call_projections(model.encoder.layers)

    @torch.inference_mode()
    def __call__(self, recordings: Sequence[Tensor]) -> list[dict[int, Tensor]]:
        """Waveforms [V, S] at 16 kHz -> per recording, layer -> float32 [V, T, H] on the CPU."""
        states: list[dict[int, Tensor]] = []
        waiting: dict[int, list[Row]] = defaultdict(list)  # padded length -> rows
        device = self.model.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            for waveform in recordings:
                sound = self._prepared(waveform.to(device))
                target, pieces = self._plan(sound)
                states.append(target)
                statistics = self._statistics(sound) if len(pieces) > 1 else None
                for piece in pieces:
                    frames = self._convolve(sound, piece, statistics)
                    rows = [Row(target, view, piece, frames[view]) for view in range(len(frames))]
                    if self.batch_frames is None:
                        self._transform(rows, frames.shape[1], len(rows))
                    else:
                        self._queue(rows, waiting)
            for length, rows in waiting.items():
                self._transform(rows, length, self._rows_at_once(length))
        return states

    def _prepared(self, waveform: Tensor) -> Tensor:
        # One frame needs the whole receptive field, so a shorter sound is padded with silence.
        sound = F.pad(waveform, (0, max(0, receptive_field(self.model.config) - waveform.shape[1])))
        if self.normalize:
            mean, variance = sound.mean(1, keepdim=True), sound.var(1, keepdim=True, correction=0)
            sound = (sound - mean) / (variance + 1e-7).sqrt()
        return sound

    def _plan(self, sound: Tensor) -> tuple[dict[int, Tensor], list[Piece]]:
        views, samples = sound.shape
        frames = 1 + (samples - receptive_field(self.model.config)) // self.hop
        shape = (views, frames, self.model.config.hidden_size)
        target = {layer: torch.empty(shape) for layer in self.layers}
        return target, list(pieces(frames, self.window.frames, self.window.overlap))

    def _convolve(self, sound: Tensor, piece: Piece, statistics: tuple[Tensor, Tensor] | None) -> Tensor:
        """sound [V, S] -> frames first..last of the transformer's input [V, T, H]."""
        end = (piece.last - 1) * self.hop + receptive_field(self.model.config)
        if end + self.hop > sound.shape[1]:
            end = sound.shape[1]  # too few samples for another frame, but part of the statistics over time
        hidden = sound[:, None, piece.first * self.hop : end]
        for i, layer in enumerate(self.model.feature_extractor.conv_layers):
            if i == 0 and statistics is not None:
                hidden = layer.activation(_group_norm(layer.layer_norm, layer.conv(hidden), *statistics))
            else:
                hidden = layer(hidden)
        projected = self.model.feature_projection(hidden.transpose(1, 2))
        return projected[0] if isinstance(projected, tuple) else projected  # HuBERT's returns no second value

    def _statistics(self, sound: Tensor) -> tuple[Tensor, Tensor] | None:
        """Mean and variance [V, C, 1] of the group norm's input over a whole recording; None without a group norm."""
        first_layer = self.model.feature_extractor.conv_layers[0]
        if not isinstance(first_layer.layer_norm, nn.GroupNorm):
            return None
        conv = first_layer.conv
        kernel, stride = conv.kernel_size[0], conv.stride[0]
        outputs = 1 + (sound.shape[1] - kernel) // stride
        total = squares = torch.zeros((), dtype=torch.float64, device=sound.device)
        for first in range(0, outputs, BLOCK // stride):
            last = min(outputs, first + BLOCK // stride)
            block = conv(sound[:, None, first * stride : (last - 1) * stride + kernel]).double()
            total, squares = total + block.sum(2, keepdim=True), squares + block.square().sum(2, keepdim=True)
        mean = total / outputs
        return mean.float(), (squares / outputs - mean.square()).float()

    def _rows_at_once(self, length: int) -> int:
        return max(1, (self.batch_frames or 0) // length)

    def _queue(self, rows: list[Row], waiting: dict[int, list[Row]]) -> None:
        for row in rows:
            length = STEP * math.ceil(len(row.frames) / STEP)
            waiting[length].append(row)
            if len(waiting[length]) == self._rows_at_once(length):
                self._transform(waiting.pop(length), length, self._rows_at_once(length))

    def _transform(self, rows: list[Row], length: int, size: int) -> None:
        """Run the transformer on rows padded to [size, length, H], and copy the output to their targets."""
        device, width = self.model.device, self.model.config.hidden_size
        hidden = torch.zeros(size, length, width, device=device, dtype=rows[0].frames.dtype)
        mask = torch.zeros(size, length, dtype=torch.bool, device=device)
        mask[:, 0] = True  # rows that fill the batch have one frame of zeros, because attention over no frame is NaN
        for i, row in enumerate(rows):
            hidden[i, : len(row.frames)] = row.frames
            mask[i, : len(row.frames)] = True
        padded = any(len(row.frames) < length for row in rows) or len(rows) < size or self.batch_frames is not None
        for layer, states in self._encode(hidden, mask if padded else None).items():
            states = states.float().cpu()
            for i, row in enumerate(rows):
                piece = row.piece
                row.target[layer][row.view, piece.start : piece.stop] = states[
                    i, piece.start - piece.first : piece.stop - piece.first
                ]

    def _encode(self, hidden: Tensor, mask: Tensor | None) -> dict[int, Tensor]:
        entering: dict[int, Tensor] = {}
        changed = {} if mask is None else self.stack.attention_mask(mask)

        def enter(index: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
            if index in self.layers:
                entering[index] = args[0]
            return args, kwargs | changed

        def silence(_: nn.Module, args: tuple) -> tuple[Tensor]:
            assert mask is not None
            return (args[0].masked_fill(~mask[:, None], 0.0),)

        total, encoder = self.model.config.num_hidden_layers, self.model.encoder
        hooks = [
            layer.register_forward_pre_hook(partial(enter, index), with_kwargs=True)
            for index, layer in enumerate(encoder.layers)
        ]
        if mask is not None:
            # A second convolution, or one behind a batch norm, would else take values other than 0 from the padding.
            convolutions = (part for part in encoder.pos_conv_embed.modules() if isinstance(part, nn.Conv1d))
            hooks += [part.register_forward_pre_hook(silence) for part in convolutions]
        try:
            last = encoder(hidden, attention_mask=mask).last_hidden_state
        finally:
            for hook in hooks:
                hook.remove()
        return entering | ({total: last} if total in self.layers else {})


def pieces(frames: int, window: int, overlap: int) -> Iterator[Piece]:
    """A recording's frames in windows of at most `window` frames; their start..stop cover each frame exactly once."""
    if frames <= window:
        yield Piece(0, 0, frames, frames)
        return
    kept = window - 2 * overlap
    for start in range(0, frames, kept):
        stop = min(start + kept, frames)
        yield Piece(max(0, start - overlap), start, stop, min(stop + overlap, frames))


def receptive_field(config: "PretrainedConfig") -> int:
    """Number of samples that one frame depends on (400 in the published models)."""
    field, step = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field


def _group_norm(norm: nn.GroupNorm, hidden: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """A group norm of hidden [V, C, T], one channel per group, with the statistics [V, C, 1] of a whole recording."""
    scale = norm.weight[:, None] / (variance + norm.eps).sqrt()
    return (hidden - mean) * scale + norm.bias[:, None]
