"""The face encoder against torchvision's ResNet, and its invariances."""

import pytest
import torch
from torchvision.models import resnet18

from avemotion.models.encoders import face_encoder
from avemotion.models.encoders.video_encoder import BLOCKS, VideoResNet18
from avemotion.models.encoders.video_models import build_video

CLASSES = 4
FACE = {"encoder": "face", "width": 8, "stages": 2, "pooling": "mean_std"}


def face(**changes):
    torch.manual_seed(0)
    model = build_video(CLASSES, FACE | changes)
    for module in model.modules():  # other statistics than 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    return model.eval()


def test_its_levels_are_those_of_torchvisions_resnet18():
    reference, model = resnet18().eval(), face(width=64, stages=1, pooling="mean")
    for level in range(1, 5):
        model.blocks[level].load_state_dict(getattr(reference, f"layer{level}").state_dict())
    pictures = torch.randn(3, 1, 48, 48)
    x = model.blocks[0](pictures)
    assert x.shape == (3, 64, 24, 24)
    for layer in (reference.layer1, reference.layer2, reference.layer3, reference.layer4):
        x = layer(x)
    torch.testing.assert_close(model.of_pictures(pictures), x.mean((2, 3)))


def test_the_embedding_of_two_stages():
    model, pictures = face(), torch.randn(3, 1, 48, 48)
    before = pictures
    for block in model.blocks[:-1]:
        before = block(before)
    last = model.blocks[-1](before)
    expected = torch.cat([last.mean((2, 3)), before.mean((2, 3)), before.amax((2, 3))], 1)
    torch.testing.assert_close(model.of_pictures(pictures), expected)
    assert model.sequence_dim == expected.shape[1] == 16 * 8 and model.dim == 2 * model.sequence_dim


@pytest.mark.parametrize("stages", [1, 2])
def test_it_continues_from_every_block(stages):
    model, frames = face(stages=stages), torch.rand(2, 3, 3, 50, 50)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    whole, sequence = model(frames, mask), model.encode_sequence(frames, mask)[0]
    for blocks in range(BLOCKS + 1):
        model.start_from(BLOCKS)
        lower = model.lower(frames, blocks)
        model.start_from(blocks)
        torch.testing.assert_close(model(lower, mask), whole, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.encode_sequence(lower, mask)[0], sequence, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["face", "resnet18"])
def test_mean_and_deviation_are_those_of_the_real_frames(encoder):
    model = face() if encoder == "face" else VideoResNet18(CLASSES, pooling="mean_std").eval()
    frames, mask = torch.rand(2, 3, 3, 48, 48), torch.tensor([[True, True, True], [True, True, False]])
    frames[1, 2] = float("nan")
    each = model.frame_embeddings(frames)
    for clip, real in enumerate((3, 2)):
        std, mean = torch.std_mean(each[clip, :real], 0, correction=0)
        expected = torch.cat([mean, (std**2 + 1e-6).sqrt()])
        torch.testing.assert_close(model.encode(frames, mask)[clip], expected, rtol=1e-4, atol=1e-5)


def test_light_and_contrast_of_a_picture_matter_little():
    picture = torch.rand(1, 1, 48, 48)
    std = picture.std()
    given, darker = (face_encoder.standardise(one) for one in (picture, 0.5 * picture + 0.1))
    ratio = (1 + face_encoder.FLAT / std) / (1 + face_encoder.FLAT / (0.5 * std))
    assert 0.9 < ratio < 1
    torch.testing.assert_close(darker, given * ratio)


def test_an_even_picture_stays_even_and_size_is_set():
    assert face_encoder.standardise(torch.full((2, 1, 5, 5), 0.7)).abs().max() < 1e-5
    frames = torch.rand(2, 3, 96, 96)
    assert face().prepare(frames).shape == (2, 1, 48, 48)
    colour = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1).expand(1, 3, 48, 48)
    torch.testing.assert_close(face_encoder.grey(colour).mean(), torch.tensor(0.2989 + 0.587 / 2 + 0.114 / 4))


def test_fit_standardises_clips_and_frames_of_training():
    model, mask = face(), torch.ones(6, 4, dtype=torch.bool)
    frames = torch.rand(6, 4, 3, 48, 48) * torch.rand(6, 4, 1, 1, 1) + torch.rand(6, 4, 3, 1, 48)
    model.fit([*((clip, 4) for clip in frames), (frames[0], 0)])
    with torch.inference_mode():
        for values in (model.encode(frames, mask), model.encode_sequence(frames, mask)[0].flatten(0, 1)):
            std, mean = torch.std_mean(values, 0, correction=0)
            torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-3, rtol=0)
            assert bool(((std - 1).abs() < 1e-2).logical_or(std < 1e-3).all()) and (std > 0.9).double().mean() > 0.8
