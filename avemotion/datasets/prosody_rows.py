"""The functionals of prosody of a clip, one vector."""

import numpy as np
import torch
from torch import Tensor

from avemotion.datasets.memory_store import Store

ARRAY = "functionals"


class ProsodyRows:
    """Functionals of a clip from a store; NaN for a clip without sound.

    Args:
        store: the prosody cache of a role.
        size: number of functionals; None = that of the store, which then needs a clip with sound.
    """

    def __init__(self, store: Store, size: int | None = None):
        self.store = store
        self.size = store.dim(ARRAY)[0] if size is None else size

    def __call__(self, clip: str) -> Tensor:
        """-> functionals [P]."""
        if not self.store.arrays or not self.store.length(clip, ARRAY):
            return torch.full((self.size,), torch.nan)
        return torch.from_numpy(self.store.get(clip, ARRAY)[0].astype(np.float32))
