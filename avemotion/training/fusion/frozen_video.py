"""Outputs of frozen video blocks, computed once instead of every epoch."""

import torch

from avemotion.datasets.clip_batches import Source
from avemotion.datasets.frame_sequences import FrameSource
from avemotion.datasets.vision_rows import VisionSource
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.system.seeds import seed_for
from avemotion.system.workers import progress
from avemotion.training.emotion.classifier import EmotionData


class FrozenVideo:
    """A source of outputs of frozen blocks.

    features: (clip, view) -> output [N, ...], number of real frames; view None is the clip without augmentation.
    """

    def __init__(self, features: dict[tuple[str, int | None], tuple[torch.Tensor, int]], views: int, seed: int):
        self.features, self.views, self.seed = features, views, seed

    def __call__(self, clip: str, epoch: int | None) -> tuple[torch.Tensor, int]:
        """-> features [N, ...], number of real frames; in training of an augmented view, if there are any."""
        if epoch is None or not self.views:
            return self.features[clip, None]
        return self.features[clip, 1 + seed_for(self.seed, "video view", epoch, clip) % self.views]


def frozen_video(
    model: VideoModel,
    frames: FrameSource | VisionSource,
    data: EmotionData,
    blocks: int,
    views: int,
    device: torch.device,
) -> Source:
    """Compute the input of the last `blocks` blocks for every clip, and let model start from there.

    Each training clip also has `views` augmented copies. Training draws one of them per epoch; without copies it uses
    the clip itself. If all blocks are trained, the source is `frames`, with new augmentation every epoch.

    The model computes one clip at a time, so that the features of a clip do not depend on other clips. They stay in
    memory: for ResNet-18 and 112 x 112 frames 50 KB per frame and view with one trained block, 2 KB with none.
    """
    if blocks == len(model.blocks):
        return frames if views else frames.plain()
    training = set(data.ids("train"))
    ids = sorted(training.union(data.ids("val"), data.ids("test")))
    copies = [(clip, view) for clip in ids for view in (None, *(range(1, views + 1) if clip in training else ()))]
    features: dict[tuple[str, int | None], tuple[torch.Tensor, int]] = {}
    model.eval()
    with torch.inference_mode():
        for clip, view in progress(copies, len(copies), "video encoder"):
            pixels, real = frames(clip, view)
            features[clip, view] = model.lower(pixels.unsqueeze(0).to(device), blocks).squeeze(0).cpu(), real
    model.start_from(blocks)
    return FrozenVideo(features, views, frames.seed)
