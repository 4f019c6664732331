"""Small V/A models and dialogues that the tests share."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from fusion_toys import wake
from torch import Tensor

from avemotion.formats.targets import USUAL
from avemotion.models.va.model import VAModel, build_va

SIZES = {"speech_dim": 16, "prosody_dim": 8, "speaker_dim": 6, "fused_dim": 10}
STATE = {"size": 8, "updater": "gru", "window": 4, "alpha": 0.8, "feedback": True}
UPDATERS = ("linear", "gru", "transformer", "mamba")
CHOICES = {
    "targets": USUAL,
    "scales": [1],
    "masked_time": 0.0,
    "masked_features": 0.0,
    "dim": 16,
    "attention_heads": 2,
    "dropout": 0.0,
    "layers": 0,
    "top": None,
    "film": "steps",
    "pooling": "mean",
    "interaction": "cross_attention",
    "head_inputs": "all",
    "heads": "branches",
    "state": STATE,
}


def state(**changes: object) -> dict[str, object]:
    """Arguments of DialogueState."""
    return STATE | changes


def va_model(**choices: object) -> VAModel:
    """A model in eval mode in which every weight matters, with units of its own."""
    model = wake(build_va(**SIZES | CHOICES | choices)).eval()
    if model.standardize_prosody is not None:
        model.standardize_prosody.fit(torch.randn(9, len(model.standardize_prosody.mean)))
    model.units.fit(3 + torch.randn(9, len(model.targets)))
    return model


def turn_inputs(count: int, seed: int = 0, layers: int = 0) -> list[dict[str, Tensor]]:
    """`count` turns by themselves, without padding; the second has one speech step."""
    g = torch.Generator().manual_seed(seed)
    turns = []
    for i in range(count):
        steps = 1 if i == 1 else 2 + i % 5
        turn = {
            "speech": torch.randn(1, steps, 16, generator=g),
            "speech_mask": torch.ones(1, steps, dtype=torch.bool),
            "prosody": torch.randn(1, 8, generator=g),
            "speaker": F.normalize(torch.randn(1, 6, generator=g), dim=-1),
            "fused": torch.randn(1, 10, generator=g),
        }
        if layers:
            turn["layers"] = torch.randn(1, steps, layers, 16, generator=g)
        turns.append(turn)
    return turns


def together(turns: Sequence[dict[str, Tensor]], padding: float = 0.0, extra: int = 0) -> dict[str, Tensor]:
    """Turns as one batch, speech padded by `padding` to `extra` steps more than the longest."""
    longest = max(turn["speech"].shape[1] for turn in turns) + extra
    batch = {}
    for name in turns[0]:
        rows = [turn[name] for turn in turns]
        if rows[0].dim() > 2 or name == "speech_mask":
            value = False if name == "speech_mask" else padding
            rows = [_longer(row, longest, value) for row in rows]
        batch[name] = torch.cat(rows)
    return batch


def layout(lengths: Sequence[int]) -> Tensor:
    """[G, N]: dialogues of these lengths."""
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def _longer(row: Tensor, length: int, value: float) -> Tensor:
    more = row.new_full((1, length - row.shape[1], *row.shape[2:]), value)
    return torch.cat([row, more], 1)
