"""The pictures of the role faces by split, in memory, and their order in an epoch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avemotion.datasets.clip_batches import BalancedSampler, EpochSampler
from avemotion.datasets.memory_store import Store
from avemotion.models.encoders.face_encoder import SIDE, grey
from avemotion.training.face.still_batches import Stills

PARTS = ("train", "val", "test")
CHUNK = 1024  # pictures converted at once


def read(table: pd.DataFrame, classes: Sequence[str], store: Store) -> dict[str, Stills]:
    """Split -> its pictures; of a film with several frames the middle one.

    Args:
        table: labels.csv. store: the frames.

    Raises:
        ValueError: a split has no picture.
    """
    sets = {}
    for part in PARTS:
        rows = table[table["split"] == part]
        ids = [clip for clip in rows["id"] if store.length(clip, "frames")]
        if not ids:
            raise ValueError(f"data/features/frames/faces: no picture of split '{part}'; see corpora.faces")
        label_of = dict(zip(rows["id"], rows["label"], strict=True))
        pictures = torch.cat([_grey(ids[start : start + CHUNK], store) for start in range(0, len(ids), CHUNK)])
        targets = torch.tensor([classes.index(label_of[clip]) for clip in ids])
        sets[part] = Stills(ids=ids, pictures=pictures, targets=targets)
    return sets


def _grey(ids: Sequence[str], store: Store) -> Tensor:
    """[len(ids), 1, SIDE, SIDE] uint8."""
    frames = np.stack([store.get(clip, "frames")[store.length(clip, "frames") // 2] for clip in ids])
    pictures = grey(torch.from_numpy(frames).permute(0, 3, 1, 2).float())
    assert pictures.shape[1:] == (1, SIDE, SIDE)
    return pictures.round().clamp(0, 255).to(torch.uint8)


def order(targets: Tensor, epoch: int, seed: int, *, balanced: bool) -> list[int]:
    """Positions of the pictures of an epoch: each once, or each class equally often (clip_batches.py)."""
    sampler = BalancedSampler(targets, seed) if balanced else EpochSampler(len(targets), seed)
    sampler.epoch = epoch
    return [position for _, position in sampler]
