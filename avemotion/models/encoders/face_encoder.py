"""Video model of faces: a narrow ResNet-18 on small grey pictures (48 pixels, as FER-2013 has them).

Shape letters: video_encoder.py.
"""

from collections.abc import Iterable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.functional import rgb_to_grayscale

from avemotion.models.encoders.blocks import Standardize
from avemotion.models.encoders.video_encoder import BLOCKS, Pooling, Temporal, VideoModel

SIDE = 48  # pixels
DIM_FACTORS = {1: 8, 2: 16}  # stages -> width of a frame's embedding, in channels of the first stage
FLAT = 8 / 255  # added to the standard deviation of a picture, so that an even one stays even


class VideoFace(VideoModel):
    """ResNet-18 (He et al. 2016) with `width` channels in its first stage, and a 3x3 stem of stride 2 without pooling.

    Each picture is standardised by its own mean and deviation, so that light and camera matter little. The embedding of
    a frame is the mean of the last stage's map; with two stages also mean and maximum of the one before. `fit` sets the
    statistics that standardise the embeddings of frozen blocks: of each frame before a temporal model or attention over
    frames, else of the pooled clip.
    """

    def __init__(self, classes: int, width: int, stages: int, pooling: Pooling, temporal: Temporal = None):
        stem = nn.Sequential(nn.Conv2d(1, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        widths = [width, *(width << level for level in range(4))]
        levels = [_level(*pair, stride=1 + (i > 0)) for i, pair in enumerate(pairwise(widths))]
        super().__init__(
            classes, nn.ModuleList([stem, *levels]), width * DIM_FACTORS[stages], stages, pooling, temporal
        )
        self.normalize, self.normalize_frames = Standardize(self.dim), Standardize(self.frame_dim)
        self.learned = bool(self.sequence_parameters())  # whether training changes how frames become a clip

    def prepare(self, frames: Tensor) -> Tensor:
        """frames [R, 3, H, W] in [0, 1] -> standardised grey pictures [R, 1, SIDE, SIDE]."""
        return standardise(grey(frames))

    def pool(self, maps: list[Tensor]) -> Tensor:
        """Output of the last stages [R, ., h, w] -> [R, frame_dim]."""
        last = maps[-1].mean((2, 3))
        return last if self.stages == 1 else torch.cat([last, maps[-2].mean((2, 3)), maps[-2].amax((2, 3))], -1)

    def of_pictures(self, pictures: Tensor) -> Tensor:
        """Standardised grey pictures [R, 1, S, S] of any size -> embeddings [R, frame_dim]."""
        return self._upper(pictures, BLOCKS)

    def encode_sequence(self, video: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """video [B, N, ...], mask [B, N] -> from standardised frames [B, N, sequence_dim], mask."""
        frames = self.normalize_frames(self.frame_embeddings(video))
        return frames if self.temporal is None else self.temporal(frames, mask), mask

    def encode(self, video: Tensor, mask: Tensor) -> Tensor:
        """video [B, N, ...], mask [B, N] -> [B, dim], standardised where pooling is fixed."""
        if self.learned:
            return super().encode(video, mask)
        return self.normalize(self.pool_frames(self.frame_embeddings(video), mask)[0])

    @torch.inference_mode()
    def fit(self, training: Iterable[tuple[Tensor, int]]) -> None:
        """Set the statistics of both standardisations; training: (video [N, ...], number of real frames) per clip."""
        self.eval()
        clips, frames, device = [], [], self.normalize.mean.device
        for video, real in training:
            if real:
                one = video[None, :real].to(device)
                frames.append(self.frame_embeddings(one)[0])
                if not self.learned:
                    everything = torch.ones(1, real, dtype=torch.bool, device=device)
                    clips.append(self.pool_frames(frames[-1][None], everything)[0])
        if clips:
            self.normalize.fit(torch.cat(clips))
        if frames:
            self.normalize_frames.fit(torch.cat(frames))


def _level(inner: int, outer: int, stride: int) -> nn.Sequential:
    from torchvision.models.resnet import BasicBlock

    shortcut = None
    if stride > 1 or inner != outer:
        shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
    return nn.Sequential(BasicBlock(inner, outer, stride, shortcut), BasicBlock(outer, outer))


def grey(frames: Tensor) -> Tensor:
    """frames [R, 3, H, W] -> grey pictures [R, 1, SIDE, SIDE] in the same units."""
    pictures = rgb_to_grayscale(frames)
    if pictures.shape[-2:] != (SIDE, SIDE):
        pictures = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return pictures


def standardise(pictures: Tensor) -> Tensor:
    """pictures [R, 1, S, S] in [0, 1] -> mean 0 and, but for FLAT, deviation 1 of each."""
    std, mean = torch.std_mean(pictures, (2, 3), keepdim=True)
    return (pictures - mean) / (std + FLAT)
