"""Batches by length: the part of benchmarks.cache that trains on padded batches."""

from argparse import Namespace

import numpy as np
import torch
from torch import Tensor, nn

from avemotion.datasets.clip_batches import EpochSampler, LengthSampler
from avemotion.models.speech.pretrained import config_for
from avemotion.models.speech.top_layers import TopLayers
from benchmarks.cache_speed import UNFROZEN
from benchmarks.timing import interleaved, line

BATCH = 8
STEPS_PER_SECOND = 50


def batching(options: Namespace, device: torch.device) -> None:
    """An epoch of WavLM's last layers over clips of 2 to 8 s, in batches by length against shuffled ones."""
    count = -(-max(options.utterances, 4 * BATCH) // BATCH) * BATCH
    lengths = np.random.default_rng(0).integers(2 * STEPS_PER_SECOND, 8 * STEPS_PER_SECOND, count).tolist()
    top = TopLayers(config_for(options.model), UNFROZEN).to(device).train()
    optimizer = torch.optim.AdamW(top.parameters(), lr=1e-5)
    samplers = {"usual": EpochSampler(count, 0), "ours": LengthSampler(lengths, BATCH, 0)}
    batches = {
        name: [[lengths[i] for _, i in keys] for keys in np.array_split([*sampler], count // BATCH)]
        for name, sampler in samplers.items()
    }

    def epoch(name: str) -> None:
        for steps in batches[name]:
            rows, mask = padded(steps, config_for(options.model).hidden_size, device)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                top(rows, mask).masked_fill(~mask.unsqueeze(-1), 0).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()

    median = interleaved({name: lambda name=name: epoch(name) for name in batches}, options.repeats, device)
    waste = {name: 1 - sum(lengths) / sum(max(steps) * len(steps) for steps in of) for name, of in batches.items()}
    detail = f"{count} clips of 2 to 8 s, batches of {BATCH}; padding {waste['usual']:.0%} and {waste['ours']:.0%}"
    line(f"epoch by length {options.model} {device.type}", median["usual"] / median["ours"], "", detail)


def padded(steps: list[int], width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random states [B, T, width] and their mask [B, T] for clips of these steps."""
    rows = nn.utils.rnn.pad_sequence([torch.randn(n, width) for n in steps], batch_first=True)
    mask = torch.arange(rows.shape[1])[None] < torch.tensor(steps)[:, None]
    return rows.to(device), mask.to(device)
