"""Frames of a clip from the cache, augmented in training."""

from dataclasses import dataclass

import numpy as np
import torch
import torchvision.transforms.functional as VF
from torch import Tensor

from stages.lib.compute import generator
from stages.lib.features.store import FeatureStore


@dataclass(frozen=True, kw_only=True)
class FrameAugmentParams:
    """Each change hits a clip with its own probability and then all of its frames alike."""

    draw: int | None  # frames of a clip seen in one epoch, drawn anew each time; null = all
    flip: float  # probability of mirroring left and right
    blur: float  # probability of a Gaussian blur, kernel 3, 5 or 7
    darken: float  # probability of darkening by a factor of 0.2 to 0.6
    noise: float  # probability of Gaussian noise, standard deviation 0.02

    def __post_init__(self) -> None:
        if self.draw is not None and self.draw < 1:
            raise ValueError(f"draw is {self.draw}; give 1 or more, or null for all frames")
        for name in ("flip", "blur", "darken", "noise"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a probability lies in 0 to 1")


class FrameSource:
    """Frames of a clip, RGB in [0, 1], [N, 3, H, W]."""

    def __init__(self, store: FeatureStore, augment: FrameAugmentParams | None = None, seed: int = 0):
        self.store, self.augment, self.seed = store, augment, seed

    def __call__(self, clip: str, epoch: int | None) -> tuple[Tensor, int]:
        """-> frames [N, 3, H, W], real frames (0 with one black frame where the clip has no picture)."""
        if not self.store.length(clip, "frames"):
            # Where no clip has a picture the cache does not know their size, which then matters to no one.
            size = self.store.dim("frames")[:2] if "frames" in self.store.arrays else (32, 32)
            return torch.zeros(1, 3, *size), 0
        frames = self.store.get(clip, "frames")
        pixels = torch.from_numpy(frames.astype(np.float32)).permute(0, 3, 1, 2).contiguous() / 255.0
        if epoch is not None and self.augment is not None:
            pixels = augment_frames(pixels, self.augment, clip, epoch, self.seed)
        return pixels, len(pixels)


def augment_frames(frames: Tensor, params: FrameAugmentParams, clip: str, epoch: int, seed: int) -> Tensor:
    """frames [N, 3, H, W] in [0, 1] -> [draw or N, 3, H, W] in [0, 1], still in time order."""
    rng = generator(seed, "frames", epoch, clip)
    flip, blur, darken, noise = rng.random(4)
    if params.draw is not None and params.draw < len(frames):
        frames = frames[torch.from_numpy(np.sort(rng.choice(len(frames), params.draw, replace=False)))]
    if flip < params.flip:
        frames = frames.flip(-1)
    if blur < params.blur:
        frames = VF.gaussian_blur(frames, [int(rng.choice([3, 5, 7]))] * 2)
    if darken < params.darken:
        frames = frames * rng.uniform(0.2, 0.6)
    if noise < params.noise:
        frames = frames + 0.02 * torch.from_numpy(rng.standard_normal(frames.shape, dtype=np.float32))
    return frames.clamp(0.0, 1.0)
