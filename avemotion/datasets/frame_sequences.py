"""Frames of a clip from the cache, augmented in training."""

import numpy as np
import torch
from torch import Tensor

from avemotion.datasets.memory_store import Store
from avemotion.params.training.augment import FrameAugmentParams
from avemotion.system.seeds import generator


class FrameSource:
    """Frames of a clip, RGB in [0, 1], [N, 3, H, W]."""

    def __init__(self, store: Store, augment: FrameAugmentParams | None = None, seed: int = 0):
        self.store, self.augment, self.seed = store, augment, seed

    def plain(self) -> "FrameSource":
        """The same frames without augmentation."""
        return FrameSource(self.store)

    def __call__(self, clip: str, epoch: int | None) -> tuple[Tensor, int]:
        """-> frames [N, 3, H, W], number of real frames; one black frame and 0 for a clip without picture."""
        if not self.store.length(clip, "frames"):
            # If no clip has a picture, the cache has no frame size, and any size will do.
            size = self.store.dim("frames")[:2] if "frames" in self.store.arrays else (32, 32)
            return torch.zeros(1, 3, *size), 0
        frames = self.store.get(clip, "frames")
        pixels = torch.from_numpy(frames.astype(np.float32)).permute(0, 3, 1, 2).contiguous() / 255.0
        if epoch is not None and self.augment is not None:
            pixels = augment_frames(pixels, self.augment, clip, epoch, self.seed)
        return pixels, len(pixels)


def augment_frames(frames: Tensor, params: FrameAugmentParams, clip: str, epoch: int, seed: int) -> Tensor:
    """frames [N, 3, H, W] in [0, 1] -> [draw or N, 3, H, W] in [0, 1], still in time order."""
    import torchvision.transforms.functional as VF

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
