"""Audio features of a clip from the cache, augmented in training.

The seed of augmentation depends on clip and epoch, so the number of loader workers has no effect on it.
"""

import copy
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import Tensor

from avemotion.datasets.memory_store import Store
from avemotion.formats.feature_store import CLEAN
from avemotion.params.training.augment import AudioAugmentParams, SpecAugmentParams, WarpParams
from avemotion.system.seeds import generator, seed_for


class AudioSource:
    """Audio features of a clip: hidden states [T, H] or [T, L + 1, H] of wavlm, or log-mel [T, M].

    Args:
        store: the wavlm or mel cache of a role.
        array: an array of the store: mel, or boundary or last of wavlm.
        augment: None for evaluation.
        any_length: whether the encoder takes clips of any length, as warp and crop of `augment` need.
        layers: whether the further layers of the wavlm cache [T, L, H] come before the rows of `array`.
    """

    def __init__(
        self,
        store: Store,
        array: str,
        augment: AudioAugmentParams | None = None,
        seed: int = 0,
        any_length: bool = False,
        layers: bool = False,
    ):
        self.store, self.seed, self.augment, self.view = store, seed, augment, CLEAN
        self.array, self.mel, self.any_length, self.layers = array, array == "mel", any_length, layers
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
        """-> features [T, ...], number of real steps; one step of zeros and 0 for a clip without sound."""
        view = self.view if epoch is None else draw_view(self.views, clip, epoch, self.seed)
        features = self._rows(clip, self.array, view)
        if self.layers:
            features = torch.cat([self._rows(clip, "layers", view), features.unsqueeze(1)], 1)
        if not len(features):
            return features.new_zeros(1, *features.shape[1:]), 0
        if not self.mel:
            return features, len(features)
        real = int(self.store.get(clip, "length", view)[0])
        if epoch is None or self.augment is None:
            return features, real
        if self.any_length:
            features = warp(features[:real], self.augment.warp, clip, epoch, self.seed)
            features = crop(features, self.augment.crop, clip, epoch, self.seed)
            real = len(features)
        return spec_augment(features, self.augment.spec_augment, clip, epoch, self.seed), real

    def _rows(self, clip: str, array: str, view: str) -> Tensor:
        return torch.from_numpy(self.store.get(clip, array, view).astype(np.float32))

    def clock(self, clip: str) -> tuple[float, float]:
        """Seconds of the clip at which its first step begins, and seconds of a step."""
        cut = self.mel and self.store.length(clip, "start") > 0
        return float(self.store.get(clip, "start")[0]) if cut else 0.0, self.store.facts["hop_seconds"]


def draw_view(weights: Mapping[str, float], clip: str, epoch: int, seed: int) -> str:
    """The cached view of a training clip in an epoch, drawn with the given weights."""
    names = sorted(weights)
    total = sum(weights.values())
    return str(generator(seed, "view", epoch, clip).choice(names, p=[weights[name] / total for name in names]))


def warp(log_mel: Tensor, params: WarpParams, clip: str, epoch: int, seed: int) -> Tensor:
    """log_mel [T, M] -> [T / s, M], as if from another vocal tract and at another tempo.

    Frame t takes the values at frame s t. Band m takes those at band c + (1 + a) (m - c) + b c, with c = (M - 1) / 2.
    s - 1, a and b are drawn within tempo, scale and shift. Interpolation is linear; beyond an edge its values go on.
    """
    if not (params.scale or params.shift or params.tempo):
        return log_mel
    frames, bands = log_mel.shape
    draws = generator(seed, "warp", epoch, clip).uniform(-1, 1, 3)
    scale, shift, speed = 1 + params.scale * draws[0], params.shift * draws[1], 1 + params.tempo * draws[2]
    steps = max(1, round(frames / speed))
    # grid_sample takes places from -1, the first frame or band, to 1, the last one.
    times = 2 * torch.arange(steps) * speed / max(frames - 1, 1) - 1
    places = torch.linspace(-1, 1, bands) * scale + shift
    grid = torch.stack(torch.broadcast_tensors(places[None, :], times[:, None]), -1).float()
    image = log_mel[None, None]
    return F.grid_sample(image, grid[None], padding_mode="border", align_corners=True)[0, 0]


def crop(log_mel: Tensor, frames: int | None, clip: str, epoch: int, seed: int) -> Tensor:
    """log_mel [T, M] -> a random part of at most `frames` frames; None = all."""
    if frames is None or len(log_mel) <= frames:
        return log_mel
    start = int(generator(seed, "crop", epoch, clip).integers(len(log_mel) - frames + 1))
    return log_mel[start : start + frames]


def spec_augment(log_mel: Tensor, params: SpecAugmentParams, clip: str, epoch: int, seed: int) -> Tensor:
    """log_mel [T, M] in dB -> [T, M] with bands and time spans set to the clip's mean."""
    if not params.p or generator(seed, "spec?", epoch, clip).random() >= params.p:
        return log_mel
    masked, fill = log_mel.T.unsqueeze(0), log_mel.mean().item()
    with torch.random.fork_rng(devices=[]):  # torchaudio draws from the global generator
        # Not torch.manual_seed, which also keeps a call for each GPU that may be initialised later, with its traceback.
        torch.default_generator.manual_seed(seed_for(seed, "spec", epoch, clip))
        for _ in range(params.masks):
            masked = AF.mask_along_axis(masked, params.freq, fill, axis=1)
            masked = AF.mask_along_axis(masked, params.time, fill, axis=2)
    return masked.squeeze(0).T
