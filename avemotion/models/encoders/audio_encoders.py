"""The audio models by name, and the encoders of log-mels of one length.

Interface and shape letters: audio_model.py.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from avemotion.models.encoders.audio_model import AudioModel, MelEncoder
from avemotion.models.encoders.resnet_asp import ResNetAsp
from avemotion.models.encoders.speech_encoder import WavLM


class ImageEncoder(MelEncoder):
    """Base of the encoders of log-mels of one length T, without masks: a feature map and its pooling."""

    @abstractmethod
    def feature_map(self, image: Tensor) -> Tensor:
        """[B, 1, M, T] -> [B, channels, M', T']."""

    @abstractmethod
    def pool(self, feature_map: Tensor) -> Tensor:
        """[B, channels, M', T'] -> [B, dim]."""

    def _map(self, audio: Tensor) -> Tensor:
        image = self.normalize(audio).transpose(1, 2).unsqueeze(1)
        # A batch of clips without sound is one step long, too short for the poolings.
        return self.feature_map(nn.functional.pad(image, (0, max(0, 4 - image.shape[-1]))))

    def encode(self, audio: Tensor, mask: Tensor) -> Tensor:
        """audio [B, T, M], mask [B, T] -> [B, dim], 0 for a clip without sound.

        The input includes the silence after a short clip.
        """
        return self.pool(self._map(audio)).masked_fill(~mask.any(1, keepdim=True), 0.0)

    def encode_sequence(self, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, T, M], mask [B, T] -> [B, T', channels], mask [B, T'] (mean over frequency)."""
        sequence = self._map(audio).mean(2).transpose(1, 2)
        real = nn.functional.adaptive_max_pool1d(mask.float(), sequence.shape[1]) > 0
        return sequence, real


class Cnn(ImageEncoder):
    """Three 3x3 convolutions, average-pooled to 4x4: the small baseline."""

    def __init__(self, classes: int, mel_bands: int = 64, dim: int = 128):
        super().__init__(classes, mel_bands, dim, sequence_dim=64)

        def block(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

        layers = [*block(1, 16), nn.MaxPool2d(2), *block(16, 32), nn.MaxPool2d(2), *block(32, 64)]
        self.features = nn.Sequential(*layers)
        self.project = nn.Linear(64 * 4 * 4, dim)

    def feature_map(self, image: Tensor) -> Tensor:
        return self.features(image)

    def pool(self, feature_map: Tensor) -> Tensor:
        return self.project(_average_pool(feature_map, 4).flatten(1))


class Plain18(ImageEncoder):
    """The depth and widths of ResNet-18 without skip connections: a control for their effect."""

    def __init__(self, classes: int, mel_bands: int = 64, dim: int = 128):
        super().__init__(classes, mel_bands, dim, sequence_dim=512)

        def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
            padding = kernel // 2
            return [
                nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]

        layers = [*conv(1, 64, 7, stride=2), nn.MaxPool2d(3, stride=2, padding=1)]
        width = 64
        for level in (64, 128, 256, 512):
            if level != width:
                layers += conv(width, level, 1, stride=2)
                width = level
            for _ in range(4):  # two blocks of two convolutions
                layers += conv(level, level, 3)
        self.features = nn.Sequential(*layers)
        self.project = nn.Linear(512, dim)

    def feature_map(self, image: Tensor) -> Tensor:
        return self.features(image)

    def pool(self, feature_map: Tensor) -> Tensor:
        return self.project(feature_map.mean((2, 3)))


class ResNet18(ImageEncoder):
    """torchvision's ResNet-18 with a one-channel stem (He et al. 2016)."""

    # torchvision's names of these weights -> ours; its fc is a classifier, ours gives the embedding
    torchvision: ClassVar[dict[str, str]] = {
        f"{name}.": f"resnet.{name}." for name in ("conv1", "bn1", *(f"layer{i}" for i in (1, 2, 3, 4)))
    }

    def __init__(self, classes: int, mel_bands: int = 64, dim: int = 128):
        from torchvision.models import resnet18  # a slow import that only this encoder needs

        super().__init__(classes, mel_bands, dim, sequence_dim=512)
        self.resnet = resnet18()
        self.resnet.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.resnet.fc = nn.Linear(512, dim)

    def feature_map(self, image: Tensor) -> Tensor:
        net = self.resnet
        x = net.maxpool(net.relu(net.bn1(net.conv1(image))))
        return net.layer4(net.layer3(net.layer2(net.layer1(x))))

    def pool(self, feature_map: Tensor) -> Tensor:
        return self.resnet.fc(feature_map.mean((2, 3)))


AUDIO_MODELS: dict[str, type[AudioModel]] = {
    "wavlm": WavLM,
    "cnn": Cnn,
    "plain18": Plain18,
    "resnet18": ResNet18,
    "resnet_asp": ResNetAsp,
}


def build_audio(classes: int, arguments: dict[str, Any]) -> AudioModel:
    """An audio model with fresh weights from {"encoder": name, **arguments of AUDIO_MODELS[name]}."""
    further = {name: value for name, value in arguments.items() if name != "encoder"}
    return AUDIO_MODELS[arguments["encoder"]](classes=classes, **further)


def _average_pool(feature_map: Tensor, size: int) -> Tensor:
    """Adaptive average pooling [B, C, M, T] -> [B, C, size, size] as two matrix products.

    torch's adaptive_avg_pool2d has no deterministic backward on a GPU. The bins are the same:
    [floor(i*n/size), ceil((i+1)*n/size)).
    """
    rows = _bins(feature_map.shape[2], size).to(feature_map)
    columns = _bins(feature_map.shape[3], size).to(feature_map)
    return torch.einsum("bcmt,im,jt->bcij", feature_map, rows, columns)


def _bins(length: int, size: int) -> Tensor:
    """[size, length]; row i has the weights that average bin i."""
    weights = torch.zeros(size, length)
    for i in range(size):
        start, stop = i * length // size, -(-(i + 1) * length // size)
        weights[i, start:stop] = 1.0 / (stop - start)
    return weights
