"""Cached output of an image encoder for the frames of a clip, and the source of the frames that a video model takes."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from avemotion.datasets.frame_sequences import FrameSource
from avemotion.datasets.memory_store import Store
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.encoders.vision_model import VideoVision
from avemotion.params.training.augment import FrameAugmentParams


class VisionSource:
    """Embeddings of the frames of a clip [N, D], or the states that enter the encoder's last blocks [N, ...].

    They are the same in every epoch: augmented frames would need the encoder.

    Args:
        store: the vision cache of a role. shape: of one row where no clip of the store has any.
    """

    seed = 0

    def __init__(self, store: Store, shape: tuple[int, ...]):
        self.store, self.shape = store, shape

    def plain(self) -> "VisionSource":
        """The same source, which has no augmentation."""
        return self

    def __call__(self, clip: str, epoch: int | None) -> tuple[Tensor, int]:
        """-> rows [N, ...], number of real frames; one row of zeros and 0 for a clip without picture."""
        if not self.store.arrays or clip in self.store.missing:
            shape = self.store.dim(self.store.arrays[0]) if self.store.arrays else self.shape
            return torch.zeros(1, *shape), 0
        rows = torch.from_numpy(self.store.get(clip, self.store.arrays[0]).astype(np.float32))
        return rows, len(rows)


def video_source(
    model: VideoModel, caches: Mapping[str, Store], augment: FrameAugmentParams | None = None, seed: int = 0
) -> FrameSource | VisionSource:
    """What a video model takes of a clip.

    Args:
        caches: features by kind; `model.feature` is the one in use. augment, seed: of frames in training.
    """
    store = caches[model.feature]
    return VisionSource(store, model.row) if isinstance(model, VideoVision) else FrameSource(store, augment, seed)
