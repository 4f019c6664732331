"""Mixup (Zhang et al. 2018, arXiv:1710.09412): each clip of a batch with a share of another one."""

from dataclasses import replace

import torch
from torch import Tensor

from avemotion.datasets.clip_batches import Batch


def mix(batch: Batch, alpha: float) -> tuple[Batch, list[tuple[float, Tensor]]]:
    """The mixed batch, and (share, targets [B]) of each clip and of the one mixed into it; alpha 0 changes nothing.

    The first share is max(s, 1 - s) with s from Beta(alpha, alpha), one for the batch, from torch's global generator. A
    clip keeps its own length: where the other one has ended, or lacks a modality, it stays as it is.
    """
    if not alpha:
        return batch, [(1.0, batch.target)]
    drawn = float(torch.distributions.Beta(alpha, alpha).sample())
    share, other = max(drawn, 1 - drawn), torch.randperm(len(batch.ids)).to(batch.target.device)
    mixed = replace(
        batch,
        audio=_mix(batch.audio, batch.audio_mask, other, share),
        video=_mix(batch.video, batch.video_mask, other, share),
        prosody=None if batch.prosody is None else _mix(batch.prosody, ~batch.prosody.isnan(), other, share),
    )
    return mixed, [(share, batch.target), (1 - share, batch.target[other])]


def _mix(x: Tensor, mask: Tensor, other: Tensor, share: float) -> Tensor:
    """x [B, T, ...], mask [B, T] -> [B, T, ...]."""
    both = (mask & mask[other]).view(*mask.shape, *[1] * (x.dim() - 2))
    return torch.where(both, share * x + (1 - share) * x[other], x)
