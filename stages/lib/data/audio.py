"""Audio features of a clip from the cache, augmented in training.

Augmentation is seeded by clip and epoch, so it is the same whatever the number of loader workers.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torchaudio.functional as AF
from torch import Tensor

from stages.lib.compute import generator, seed_for
from stages.lib.features.store import CLEAN, FeatureStore

Encoder = Literal["wavlm", "cnn", "plain18", "resnet18"]


@dataclass(frozen=True, kw_only=True)
class SpecAugmentParams:
    """Masks on the log-mel spectrogram (Park et al. 2019)."""

    p: float  # probability that a clip is masked at all; 0 switches it off
    masks: int  # of each kind
    freq: int  # widest frequency mask, mel bands
    time: int  # longest time mask, frames of 10 ms

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise ValueError(f"p is {self.p}; a probability lies in 0 to 1")
        if min(self.masks, self.freq, self.time) < 0:
            raise ValueError("masks, freq and time must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class AudioAugmentParams:
    """How training clips are heard."""

    views: dict[str, float]  # relative weight of each cached view (clean, 20dB ...); empty means clean only
    spec_augment: SpecAugmentParams  # for the mel encoders

    def __post_init__(self) -> None:
        if any(weight < 0 for weight in self.views.values()) or (self.views and sum(self.views.values()) <= 0):
            raise ValueError(f"views is {self.views}; weights must be 0 or more and not all 0")


class AudioSource:
    """Audio features of a clip: hidden states [T, H] for wavlm, log-mel [T, M] for the others.

    Args:
        store: the wavlm or mel cache of a role.
        encoder: which audio model they are for.
        boundary: whether wavlm's trainable layers start below the last hidden state.
        augment: None for evaluation only.
    """

    def __init__(
        self,
        store: FeatureStore,
        encoder: Encoder,
        boundary: bool,
        augment: AudioAugmentParams | None = None,
        seed: int = 0,
    ):
        self.store, self.seed, self.augment, self.view = store, seed, augment, CLEAN
        self.mel = encoder != "wavlm"
        self.array = "mel" if self.mel else "boundary" if boundary else "last"
        views: Mapping[str, float] = (augment.views if augment else {}) or {CLEAN: 1.0}
        unknown = sorted(set(views) - set(store.views))
        if unknown:
            raise ValueError(
                f"augment.views names {', '.join(unknown)}, but the cache holds {', '.join(store.views)}; "
                "add the SNR to `views` in params.yaml or drop it here"
            )
        self.views = views

    def at(self, view: str) -> "AudioSource":
        """The same source, of which evaluation hears another view of the cache."""
        other = copy.copy(self)
        other.view = view
        return other

    def __call__(self, clip: str, epoch: int | None) -> tuple[Tensor, int]:
        """-> features [T, D], real steps (0 with one step of zeros where the clip has no sound)."""
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
    """The name of the cached view a training clip is heard in this epoch, drawn with the given weights."""
    names = sorted(weights)
    total = sum(weights.values())
    return str(generator(seed, "view", epoch, clip).choice(names, p=[weights[name] / total for name in names]))


def spec_augment(log_mel: Tensor, params: SpecAugmentParams, clip: str, epoch: int, seed: int) -> Tensor:
    """log_mel [T, M] in dB -> [T, M] with bands and stretches set to the clip's mean."""
    if not params.p or generator(seed, "spec?", epoch, clip).random() >= params.p:
        return log_mel
    masked, fill = log_mel.T.unsqueeze(0), log_mel.mean().item()
    with torch.random.fork_rng(devices=[]):  # torchaudio draws from the global generator
        torch.manual_seed(seed_for(seed, "spec", epoch, clip))
        for _ in range(params.masks):
            masked = AF.mask_along_axis(masked, params.freq, fill, axis=1)
            masked = AF.mask_along_axis(masked, params.time, fill, axis=2)
    return masked.squeeze(0).T
