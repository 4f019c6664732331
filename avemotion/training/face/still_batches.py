"""Batches of grey pictures in memory, augmented as a whole: pictures are small and many.

Shape letters: R pictures, B of them in a batch, S pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from avemotion.params.training.augment import StillAugmentParams

DRAWS = 9  # random numbers of a picture: turn, scale, two shifts, flip, erase, side and place of the erased square
ERASED = (0.125, 0.333)  # side of an erased square as a share of the picture's


@dataclass(frozen=True, kw_only=True)
class Stills:
    """Pictures [R, 1, S, S] uint8 with their clips' ids and class indices [R]."""

    ids: list[str]
    pictures: Tensor
    targets: Tensor

    def evaluation(self, batch_size: int) -> Iterator[Tensor]:
        """All pictures in order, in [0, 1], [B, 1, S, S]."""
        return (part.float() / 255 for part in self.pictures.split(batch_size))

    def training(
        self, order: Sequence[int], size: int, params: StillAugmentParams, batch_size: int, seed: int
    ) -> Iterator["StillBatch"]:
        """The augmented pictures of an epoch.

        Args:
            order: positions of the pictures of this epoch. seed: of the epoch; each picture has its own draws.
        """
        draws = torch.rand(len(self.pictures), DRAWS, generator=torch.Generator().manual_seed(seed))
        for positions in torch.as_tensor(order).split(batch_size):
            moved, erased = augment_stills(self.pictures[positions].float() / 255, draws[positions], size, params)
            yield StillBatch(pictures=moved, erased=erased, target=self.targets[positions])


@dataclass(frozen=True, kw_only=True)
class StillBatch:
    """pictures [B, 1, S, S] in [0, 1], erased [B, 1, S, S]: pixels without content, target: class indices [B]."""

    pictures: Tensor
    erased: Tensor
    target: Tensor


def augment_stills(pictures: Tensor, draws: Tensor, size: int, params: StillAugmentParams) -> tuple[Tensor, Tensor]:
    """A random turn, scale, shift and mirroring of each picture, at another size, and an erased square.

    Args:
        pictures: [B, 1, S, S]. draws: uniform in [0, 1), [B, DRAWS].

    Returns:
        [B, 1, size, size]; True for erased pixels, [B, 1, size, size].
    """
    even = 2 * draws - 1
    angle, scale = math.radians(params.turn) * even[:, 0], 1 + params.scale * even[:, 1]
    flip = torch.where(draws[:, 4] < params.flip, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    shift = 2 * params.shift * even[:, 2:4]  # affine_grid measures in halves of a side
    rows = torch.stack([cos * flip, -sin, shift[:, 0]], 1), torch.stack([sin * flip, cos, shift[:, 1]], 1)
    grid = F.affine_grid(torch.stack(rows, 1), [len(pictures), 1, size, size], align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    low, high = ERASED
    side = ((low + (high - low) * draws[:, 6]) * size).round() * (draws[:, 5] < params.erase)
    begin = (draws[:, 7:9] * (size + 1 - side[:, None])).floor()
    place = torch.arange(size)
    inside = (place >= begin[..., None]) & (place < (begin + side[:, None])[..., None])  # [B, 2, size]
    return moved, (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
