"""Audio features of a clip from the cache, augmented in training.

The seed of augmentation depends on clip and epoch, so the number of loader workers has no effect on it.
"""

import copy
from collections.abc import Mapping

import numpy as np
import torch
import torchaudio.functional as AF
from torch import Tensor

from avemotion.datasets.memory_store import Store
from avemotion.formats.feature_store import CLEAN
from avemotion.params.training.augment import AudioAugmentParams, SpecAugmentParams
from avemotion.system.seeds import generator, seed_for


class AudioSource:
    """Audio features of a clip: hidden states [T, H] of wavlm, or log-mel [T, M].

    Args:
        store: the wavlm or mel cache of a role.
        array: an array of the store: mel, or boundary or last of wavlm.
        augment: None for evaluation.
    """

    def __init__(self, store: Store, array: str, augment: AudioAugmentParams | None = None, seed: int = 0):
        self.store, self.seed, self.augment, self.view = store, seed, augment, CLEAN
        self.array, self.mel = array, array == "mel"
        views: Mapping[str, float] = (augment.views if augment else {}) or {CLEAN: 1.0}
        unknown = sorted(set(views) - set(store.views))
        if unknown:
            raise ValueError(
                f"augment.audio.views names {', '.join(unknown)}, but the cache holds {', '.join(store.views)}; "
                "add the SNR to `views` in params.yaml or drop it here"
            )
        self.views = views

    def at(self, view: str) -> "AudioSource":
        """A copy of this source that uses another view of the cache in evaluation."""
        other = copy.copy(self)
        other.view = view
        return other

    def steps(self, clip: str) -> int:
        """Number of steps of a clip in the cache, without reading them; 0 for a clip without sound."""
        return self.store.length(clip, self.array)

    def __call__(self, clip: str, epoch: int | None) -> tuple[Tensor, int]:
        """-> features [T, D], number of real steps; one step of zeros and 0 for a clip without sound."""
        view = self.view if epoch is None else draw_view(self.views, clip, epoch, self.seed)
        features = torch.from_numpy(self.store.get(clip, self.array, view).astype(np.float32))
        if not len(features):
            return features.new_zeros(1, features.shape[1]), 0
        if not self.mel:
            return features, len(features)
        real = int(self.store.get(clip, "length", view)[0])
        if epoch is not None and self.augment is not None:
            features = spec_augment(features, self.augment.spec_augment, clip, epoch, self.seed)
        return features, real


def draw_view(weights: Mapping[str, float], clip: str, epoch: int, seed: int) -> str:
    """The cached view of a training clip in an epoch, drawn with the given weights."""
    names = sorted(weights)
    total = sum(weights.values())
    return str(generator(seed, "view", epoch, clip).choice(names, p=[weights[name] / total for name in names]))


def spec_augment(log_mel: Tensor, params: SpecAugmentParams, clip: str, epoch: int, seed: int) -> Tensor:
    """log_mel [T, M] in dB -> [T, M] with bands and time spans set to the clip's mean."""
    if not params.p or generator(seed, "spec?", epoch, clip).random() >= params.p:
        return log_mel
    masked, fill = log_mel.T.unsqueeze(0), log_mel.mean().item()
    with torch.random.fork_rng(devices=[]):  # torchaudio draws from the global generator
        torch.manual_seed(seed_for(seed, "spec", epoch, clip))
        for _ in range(params.masks):
            masked = AF.mask_along_axis(masked, params.freq, fill, axis=1)
            masked = AF.mask_along_axis(masked, params.time, fill, axis=2)
    return masked.squeeze(0).T
