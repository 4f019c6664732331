"""Video model: torchvision's ResNet-18 for every frame, mean over frames, a classifier.

Shape letters: blocks.py; frames are RGB in [0, 1], any size.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import masked_mean

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLOCKS = 5  # the stem and the residual layers layer1 .. layer4


class VideoResNet18(nn.Module):
    """encode(video, mask) -> [B, 512]; encode_sequence -> [B, N, 512]; forward -> logits [B, C].

    The output of frozen blocks can be computed once and reused: `lower(frames, n)` computes all blocks before the last
    n, and after `start_from(n)` every method takes that output instead of frames.
    """

    mean: Tensor
    std: Tensor
    # torchvision's names of these weights -> ours
    torchvision: ClassVar[dict[str, str]] = {
        "conv1.": "blocks.0.0.",
        "bn1.": "blocks.0.1.",
        **{f"layer{i}.": f"blocks.{i}." for i in (1, 2, 3, 4)},
        "fc.": "classifier.",
    }

    def __init__(self, classes: int):
        from torchvision.models import resnet18

        super().__init__()
        net = resnet18()
        stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
        self.blocks = nn.ModuleList([stem, net.layer1, net.layer2, net.layer3, net.layer4])
        self.dim = self.sequence_dim = 512
        self.classifier = nn.Linear(self.dim, classes)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.start_from(BLOCKS)

    def start_from(self, blocks: int) -> None:
        """Use the output of lower(frames, blocks) as input from now on; with BLOCKS, frames."""
        assert 0 <= blocks <= BLOCKS
        self.computed = blocks

    def lower(self, frames: Tensor, blocks: int) -> Tensor:
        """frames [B, N, 3, H, W] -> input of the last `blocks` blocks, [B, N, ...]; [B, N, 512] for 0 blocks."""
        if blocks == BLOCKS:
            return frames
        x = (frames.flatten(0, 1) - self.mean) / self.std
        for block in self.blocks[: BLOCKS - blocks]:
            x = block(x)
        if blocks == 0:
            x = x.mean((2, 3))
        return x.unflatten(0, frames.shape[:2])

    def encode_sequence(self, video: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """video: frames [B, N, 3, H, W] (or a cached lower output), mask [B, N] -> [B, N, 512], mask."""
        if self.computed == BLOCKS:
            return self.lower(video, blocks=0), mask
        if self.computed == 0:
            return video, mask
        x = video.flatten(0, 1)
        for block in self.blocks[BLOCKS - self.computed :]:
            x = block(x)
        return x.mean((2, 3)).unflatten(0, video.shape[:2]), mask

    def encode(self, video: Tensor, mask: Tensor) -> Tensor:
        """video [B, N, ...], mask [B, N] -> [B, 512]."""
        return masked_mean(*self.encode_sequence(video, mask))

    def forward(self, video: Tensor, mask: Tensor) -> Tensor:
        """video [B, N, ...], mask [B, N] -> logits [B, C]."""
        return self.classifier(self.encode(video, mask))

    def last_parameters(self, blocks: int) -> list[nn.Parameter]:
        """Parameters of the last `blocks` blocks."""
        return list(self.blocks[BLOCKS - blocks :].parameters())


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
            f"pretrain_video.imagenet is true, but the ResNet-18 weights are not available ({error}); "
            f"put {ResNet18_Weights.IMAGENET1K_V1.url.rsplit('/', 1)[-1]} into {torch.hub.get_dir()}/checkpoints, "
            "connect once, or set pretrain_video.imagenet=false"
        ) from error
    net = resnet18()
    net.load_state_dict(weights)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
    for block, source in zip(model.blocks, (stem, net.layer1, net.layer2, net.layer3, net.layer4), strict=True):
        block.load_state_dict(source.state_dict())
