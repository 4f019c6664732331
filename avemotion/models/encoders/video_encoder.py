"""Video models: residual blocks for every frame, a temporal model over frames, pooling over frames, a classifier.

Shape letters: blocks.py; R frames of all clips; frames are RGB in [0, 1], any size.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from avemotion.models.encoders.frame_sequence import TEMPORAL, FrameSequence
from avemotion.models.encoders.poolings import AttentionPooling, MeanPooling, StatisticsPooling

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLOCKS = 5  # of both residual networks: the stem and the residual layers layer1 .. layer4
Pooling = Literal["mean", "mean_std", "attention"]  # over frames
POOLINGS = {"mean": MeanPooling, "mean_std": StatisticsPooling, "attention": AttentionPooling}
Temporal = dict[str, Any] | None  # {"kind": name in TEMPORAL, "dim": width}; None: frames stay independent


class VideoModel(nn.Module, ABC):
    """encode(video, mask) -> [B, dim]; encode_sequence -> [B, N, sequence_dim]; forward -> logits [B, C].

    The output of frozen blocks can be computed once and reused: `lower(frames, n)` computes all blocks before the last
    n, and after `start_from(n)` every method takes that output instead of frames.
    """

    feature: ClassVar[str] = "frames"  # the cache that it reads
    blocks: nn.ModuleList | list[nn.Module]
    stages: int  # last blocks whose output is the embedding of a frame
    torchvision: ClassVar[dict[str, str]] = {}  # its names of these weights -> ours

    def __init__(
        self,
        classes: int,
        blocks: nn.ModuleList | list[nn.Module],
        dim: int,
        stages: int,
        pooling: Pooling,
        temporal: Temporal,
    ):
        """dim: of the embedding of a frame."""
        super().__init__()
        self.blocks, self.stages, self.pooling, self.frame_dim = blocks, stages, pooling, dim
        self.temporal: FrameSequence | None = None
        if temporal is not None:
            self.temporal = TEMPORAL[temporal["kind"]](dim, temporal["dim"])
        self.sequence_dim = dim if self.temporal is None else self.temporal.dim
        self.pool_frames = POOLINGS[pooling](self.sequence_dim, 1)
        self.dim = self.pool_frames.out_dim
        self.classifier = nn.Linear(self.dim, classes)
        self.start_from(len(blocks))

    @abstractmethod
    def prepare(self, frames: Tensor) -> Tensor:
        """frames [R, 3, H, W] in [0, 1] -> input of the first block."""

    @abstractmethod
    def pool(self, maps: list[Tensor]) -> Tensor:
        """Output of the last `stages` blocks [R, ., h, w] -> embedding of each frame [R, frame_dim]."""

    def start_from(self, blocks: int) -> None:
        """Use the output of lower(frames, blocks) as input from now on; with all blocks, frames."""
        assert 0 <= blocks <= len(self.blocks)
        self.computed = blocks

    def lower(self, frames: Tensor, blocks: int) -> Tensor:
        """frames [B, N, 3, H, W] -> input of the last `blocks` blocks, [B, N, ...]; for 0 [B, N, frame_dim]."""
        if blocks == len(self.blocks):
            return frames
        x = self.prepare(frames.flatten(0, 1))
        if blocks == 0:
            return self._upper(x, len(self.blocks)).unflatten(0, frames.shape[:2])
        for block in self.blocks[: len(self.blocks) - blocks]:
            x = block(x)
        return x.unflatten(0, frames.shape[:2])

    def _upper(self, x: Tensor, blocks: int) -> Tensor:
        """Input of the last `blocks` blocks, which is the output of the one before them -> [R, frame_dim]."""
        maps = [x]
        for block in self.blocks[len(self.blocks) - blocks :]:
            maps.append(block(maps[-1]))
        return self.pool(maps[-self.stages :])

    def frame_embeddings(self, video: Tensor) -> Tensor:
        """Frames [B, N, 3, H, W] (or a cached lower output) -> [B, N, frame_dim]."""
        if self.computed == len(self.blocks):
            return self.lower(video, blocks=0)
        if self.computed == 0:
            return video
        return self._upper(video.flatten(0, 1), self.computed).unflatten(0, video.shape[:2])

    def encode_sequence(self, video: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """video [B, N, ...], mask [B, N] -> [B, N, sequence_dim], mask."""
        frames = self.frame_embeddings(video)
        return frames if self.temporal is None else self.temporal(frames, mask), mask

    def encode(self, video: Tensor, mask: Tensor) -> Tensor:
        """video [B, N, ...], mask [B, N] -> [B, dim]: pooled over frames."""
        return self.pool_frames(*self.encode_sequence(video, mask))[0]

    def forward(self, video: Tensor, mask: Tensor) -> Tensor:
        """video [B, N, ...], mask [B, N] -> logits [B, C]."""
        return self.classifier(self.encode(video, mask))

    def sequence_parameters(self) -> list[nn.Parameter]:
        """Parameters of the temporal model and of the pooling over frames."""
        own = [] if self.temporal is None else list(self.temporal.parameters())
        return own + list(self.pool_frames.parameters())

    def last_parameters(self, blocks: int) -> list[nn.Parameter]:
        """Parameters of the last `blocks` blocks."""
        return [p for block in self.blocks[len(self.blocks) - blocks :] for p in block.parameters()]


class VideoResNet18(VideoModel):
    """torchvision's ResNet-18."""

    mean: Tensor
    std: Tensor
    torchvision: ClassVar[dict[str, str]] = {
        "conv1.": "blocks.0.0.",
        "bn1.": "blocks.0.1.",
        **{f"layer{i}.": f"blocks.{i}." for i in (1, 2, 3, 4)},
        "fc.": "classifier.",
    }

    def __init__(self, classes: int, pooling: Pooling = "mean", temporal: Temporal = None):
        from torchvision.models import resnet18

        net = resnet18()
        stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
        blocks = nn.ModuleList([stem, net.layer1, net.layer2, net.layer3, net.layer4])
        super().__init__(classes, blocks, 512, 1, pooling, temporal)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def prepare(self, frames: Tensor) -> Tensor:
        """frames [R, 3, H, W] -> standardised by ImageNet's statistics, [R, 3, H, W]."""
        return (frames - self.mean) / self.std

    def pool(self, maps: list[Tensor]) -> Tensor:
        """Output of the last block -> [R, 512]."""
        return maps[-1].mean((2, 3))


def load_imagenet(model: VideoResNet18) -> None:
    """Copy torchvision's ImageNet weights into the encoder.

    Raises:
        ValueError: the weights are not in torch's cache and the download failed.
    """
    from torchvision.models import ResNet18_Weights, resnet18

    try:
        weights = ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=True)
    except OSError as error:  # URLError is an OSError
        raise ValueError(
            f"pretrain_video.start is imagenet, but the ResNet-18 weights are not available ({error}); "
            f"put {ResNet18_Weights.IMAGENET1K_V1.url.rsplit('/', 1)[-1]} into {torch.hub.get_dir()}/checkpoints, "
            "connect once, or set pretrain_video.start=none"
        ) from error
    net = resnet18()
    net.load_state_dict(weights)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
    for block, source in zip(model.blocks, (stem, net.layer1, net.layer2, net.layer3, net.layer4), strict=True):
        block.load_state_dict(source.state_dict())
