"""The audio and video encoders against torch's and torchvision's own."""

import math

import pytest
import torch
from fusion_toys import CLASSES, fusion
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize

from avemotion.models.encoders.audio_encoders import _average_pool, build_audio
from avemotion.models.encoders.video_encoder import BLOCKS, IMAGENET_MEAN, IMAGENET_STD, VideoResNet18
from avemotion.params.whole import MEL_BANDS


@pytest.mark.parametrize("size", [(5, 7), (16, 75), (4, 4), (3, 2), (1, 9)])
def test_average_pool_equals_torchs(size):
    feature_map = torch.randn(2, 3, *size)
    expected = torch.nn.AdaptiveAvgPool2d(4)(feature_map)
    torch.testing.assert_close(_average_pool(feature_map, 4), expected)


def test_mel_mask_follows_the_feature_map():
    model, mask = fusion("audio", "plain18").audio, torch.arange(301)[None] < torch.tensor([[301], [64], [65], [0]])
    sequence, real = model.encode_sequence(torch.randn(4, 301, 64), mask)
    steps = sequence.shape[1]
    assert real.sum(1).tolist() == [steps, math.ceil(64 * steps / 301), math.ceil(65 * steps / 301), 0]
    assert bool((real[:, 1:] <= real[:, :-1]).all())  # real steps come first


def test_video_model_is_torchvisions_resnet():
    reference, ours = resnet18().eval(), VideoResNet18(CLASSES).eval()
    for module in reference.modules():  # other statistics than 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    layers = (reference.layer1, reference.layer2, reference.layer3, reference.layer4)
    ours.blocks[0][0].load_state_dict(reference.conv1.state_dict())
    ours.blocks[0][1].load_state_dict(reference.bn1.state_dict())
    for own, given in zip(ours.blocks[1:], layers, strict=True):
        own.load_state_dict(given.state_dict())
    reference.fc = torch.nn.Identity()
    frames = torch.rand(2, 3, 3, 48, 40)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    each = reference(normalize(frames.flatten(0, 1), IMAGENET_MEAN, IMAGENET_STD)).unflatten(0, (2, 3))
    expected = torch.stack([each[0].mean(0), each[1, 0]])
    torch.testing.assert_close(ours.encode(frames, mask), expected, rtol=1e-4, atol=1e-5)


def test_video_model_continues_from_every_block():
    model, frames = VideoResNet18(CLASSES).eval(), torch.rand(2, 3, 3, 48, 40)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    whole = model(frames, mask)
    for blocks in range(BLOCKS + 1):
        model.start_from(BLOCKS)
        lower = model.lower(frames, blocks)
        assert len(model.last_parameters(blocks)) == len(list(model.blocks[BLOCKS - blocks :].parameters()))
        model.start_from(blocks)
        torch.testing.assert_close(model(lower, mask), whole, rtol=1e-5, atol=1e-6)
    assert lower is frames


@pytest.mark.parametrize("encoder", ["cnn", "plain18", "resnet18"])
def test_mel_encoders_take_any_bands_that_check_passes(encoder):
    """Another number of bands changes no weight, only the statistics of the standardisation."""
    counts = set()
    for bands in (MEL_BANDS, 64, 80):
        model = build_audio(CLASSES, {"encoder": encoder, "mel_bands": bands}).eval()
        mask = torch.ones(2, 20, dtype=torch.bool)
        assert model(torch.randn(2, 20, bands), mask).shape == (2, CLASSES)
        assert model.normalize.mean.shape == (bands,)
        counts.add(sum(p.numel() for p in model.parameters()))
    assert len(counts) == 1
