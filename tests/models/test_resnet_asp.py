"""The residual encoder with attentive statistics pooling: sizes, statistics by hand, and clips of any length."""

import math

import pytest
import torch

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.resnet_asp import AttentiveStatistics, ClipNorm

LENGTHS = (61, 40, 13, 8, 1, 0)


def encoder():
    """In evaluation, with statistics of normalisation and of the input other than 0 and 1."""
    model = build_audio(4, {"encoder": "resnet_asp", "mel_bands": 40, "dim": 64}).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.3)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    model.normalize.fit(torch.randn(50, 40) * 3 - 40)
    return model


def padded():
    """audio [B, T, M] and mask of clips of LENGTHS, their padding NaN."""
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    audio = torch.randn(len(LENGTHS), max(LENGTHS), 40) * 3 - 40
    return audio.masked_fill(~mask.unsqueeze(-1), math.nan), mask


def test_number_of_parameters_by_hand():
    stem, block = 25 * 16 + 2 * 16, lambda i, o: 9 * i * o + 9 * o * o + i * o + 4 * o
    attention, head = 128 * 64 + 64 + 64 * 128 + 128, 2 * 256 + 256 * 8 + 8
    expected = stem + block(16, 32) + block(32, 64) + block(64, 96) + 96 * 5 * 128 + 2 * 128 + attention + head
    model = build_audio(8, {"encoder": "resnet_asp"})
    assert sum(p.numel() for p in model.parameters()) == expected == 298_104


@pytest.mark.parametrize("extra", [0, 1, 7, 30])
def test_padding_changes_no_output(extra):
    model, (audio, mask) = encoder(), padded()
    audio = torch.nn.functional.pad(audio, (0, 0, 0, extra), value=300.0)
    mask = torch.nn.functional.pad(mask, (0, extra))
    logits, (steps, real) = model(audio, mask), model.encode_sequence(audio, mask)
    for row, length in enumerate(LENGTHS[:-1]):
        clip, whole = audio[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
        torch.testing.assert_close(logits[row : row + 1], model(clip, whole), rtol=1e-5, atol=1e-5)
        alone, _ = model.encode_sequence(clip, whole)
        assert alone.shape[1] == real[row].sum() == math.ceil(length / 8)
        torch.testing.assert_close(steps[row][real[row]], alone[0], rtol=1e-5, atol=1e-5)
        assert not steps[row][~real[row]].any()
    assert not model.encode(audio, mask)[-1].any() and not real[-1].any()  # without sound
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_pooling_by_hand():
    pool, steps = AttentiveStatistics(3, hidden=2), torch.randn(2, 5, 3)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    pooled = pool(steps, mask)
    for row, length in enumerate((5, 3)):
        real = steps[row, :length]
        weights = pool.attend(real).softmax(0)
        mean = (weights * real).sum(0)
        torch.testing.assert_close(pooled[row, :3], mean)
        torch.testing.assert_close(pooled[row, 3:], (weights * (real - mean) ** 2).sum(0).sqrt(), rtol=1e-4, atol=1e-4)
    torch.nn.init.zeros_(pool.attend[2].weight)
    torch.nn.init.zeros_(pool.attend[2].bias)  # equal weights: the plain mean and deviation
    plain = torch.cat([steps[1, :3].mean(0), steps[1, :3].std(0, correction=0)])
    torch.testing.assert_close(pool(steps, mask)[1], plain, rtol=1e-4, atol=1e-5)


def test_one_clip_alone_is_normalised_with_the_running_statistics():
    norm, clips = ClipNorm(3), torch.randn(4, 3)
    torch.testing.assert_close(norm(clips), torch.nn.BatchNorm1d(3)(clips))
    alone = norm(clips[:1])
    torch.testing.assert_close(alone, norm.eval()(clips[:1]))


def test_extreme_values_are_cut():
    model, mask = encoder(), torch.ones(1, 16, dtype=torch.bool)
    audio = torch.full((1, 16, 40), -40.0)
    audio[0, 3, 7] = 1000.0
    limited = audio.clone()
    limited[0, 3, 7] = model.normalize.mean[7] + 5 * model.normalize.std[7]
    torch.testing.assert_close(model(audio, mask), model(limited, mask))
    assert model.conv_sequence(audio, mask).max() == 5
