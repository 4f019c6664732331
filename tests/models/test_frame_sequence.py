"""Temporal models and poolings over frames: hand arithmetic, padding, order, learning."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avemotion.models.encoders.frame_sequence import TEMPORAL, FrameConvolution
from avemotion.models.encoders.video_encoder import POOLINGS
from avemotion.models.encoders.vision_model import VideoVision

FRAMES, WIDTH = 5, 8


def video(temporal: str | None, pooling: str) -> VideoVision:
    """A model over cached embeddings of width 6."""
    kind = None if temporal is None else {"kind": temporal, "dim": WIDTH}
    return VideoVision(2, "none", 0, dim=6, pooling=pooling, temporal=kind).eval()


@pytest.mark.parametrize(("temporal", "pooling"), list(product([None, *TEMPORAL], POOLINGS)))
def test_padding_and_other_clips_change_nothing(temporal, pooling):
    model, frames = video(temporal, pooling), torch.randn(3, FRAMES, 6)
    lengths = torch.tensor([5, 3, 1])
    mask = torch.arange(FRAMES) < lengths[:, None]
    garbage = frames.masked_fill(~mask[..., None], float("nan"))
    with torch.no_grad():
        together, steps = model.encode(garbage, mask), model.encode_sequence(garbage, mask)[0]
        for row, length in enumerate(lengths.tolist()):
            alone = frames[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
            torch.testing.assert_close(model.encode(*alone)[0], together[row], rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(model.encode_sequence(*alone)[0][0], steps[row, :length], rtol=1e-5, atol=1e-6)
    assert together.shape == (3, model.dim) and steps.shape[2] == model.sequence_dim == (WIDTH if temporal else 6)


@pytest.mark.parametrize(("temporal", "pooling"), list(product([None, *TEMPORAL], POOLINGS)))
def test_a_clip_without_picture_is_finite_in_outputs_and_gradients(temporal, pooling):
    model = video(temporal, pooling).train()
    mask = torch.tensor([[True, True], [False, False]])
    model(torch.randn(2, 2, 6), mask).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_order_matters_with_a_temporal_model_alone(temporal):
    frames, mask = torch.randn(1, FRAMES, 6), torch.ones(1, FRAMES, dtype=torch.bool)
    with torch.no_grad():
        for pooling in POOLINGS:
            still = video(None, pooling)
            torch.testing.assert_close(still.encode(frames, mask), still.encode(frames.flip(1), mask))
            moving = video(temporal, pooling)
            change = moving.encode(frames, mask) - moving.encode(frames.flip(1), mask)
            assert change.abs().max() > 1e-3


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_frames_depend_on_frames_before_and_after(temporal):
    model, frames = TEMPORAL[temporal](6, WIDTH).eval(), torch.randn(1, FRAMES, 6, requires_grad=True)
    model(frames, torch.ones(1, FRAMES, dtype=torch.bool))[0, 2].sum().backward()
    reached = frames.grad[0].abs().sum(-1) > 0
    assert reached.tolist() == ([False, True, True, True, False] if temporal == "conv" else [True] * FRAMES)


def test_convolution_by_hand():
    """x + ReLU(2 before - 1 here + 3 after + 0.5) over the frames 1, 2, -1 and one of padding."""
    model = FrameConvolution(1, 1).eval()
    with torch.no_grad():
        model.project.weight.fill_(1.0), model.project.bias.fill_(0.0)
        model.convolve.weight.copy_(torch.tensor([[[2.0, -1.0, 3.0]]])), model.convolve.bias.fill_(0.5)
        found = model(torch.tensor([[[1.0], [2.0], [-1.0], [9.0]]]), torch.tensor([[True, True, True, False]]))
    expected = [1 + (0 - 1 + 6 + 0.5), 2 + max(0, 2 - 2 - 3 + 0.5), -1 + (4 + 1 + 0 + 0.5)]
    torch.testing.assert_close(found[0, :3, 0], torch.tensor(expected))


def test_the_gru_is_torchs_in_both_directions():
    model, frames = TEMPORAL["gru"](6, WIDTH).eval(), torch.randn(1, 3, 6)
    padded, mask = F.pad(frames, (0, 0, 0, 2), value=7.0), torch.arange(5)[None] < 3
    with torch.no_grad():
        expected, _ = model.recur(model.project(frames))
        torch.testing.assert_close(model(padded, mask)[:, :3], expected, rtol=1e-5, atol=1e-6)


def test_attention_is_a_softmax_over_real_frames():
    pooling, frames = POOLINGS["attention"](6, 1), torch.randn(2, 4, 6)
    mask = torch.tensor([[True, True, True, False], [True, False, False, False]])
    pooled, weights = pooling(frames, mask)
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    assert weights[0, 3] == 0 and weights[1].tolist() == [1, 0, 0, 0]
    scores = pooling.score(frames[0, :3]).squeeze(-1)
    torch.testing.assert_close(pooled[0], (scores.softmax(0)[:, None] * frames[0, :3]).sum(0))
    torch.testing.assert_close(pooled[1], frames[1, 0])


@pytest.mark.parametrize(("temporal", "pooling"), [(None, "attention"), *((name, "mean") for name in TEMPORAL)])
def test_eight_clips_are_learned_of_which_the_mean_says_nothing(temporal, pooling):
    """Classes differ in which frame stands out, or in its sign; the mean over frames is the same."""
    torch.manual_seed(0)
    frames, truth = torch.randn(8, FRAMES, 6), torch.arange(8) % 2
    if temporal is None:  # the first feature marks the frame whose second feature is the class
        frames[:, :, 0], frames[:, 2, 0] = -2.0, 2.0
        frames[:, 2, 1] = 4.0 * truth - 2.0
    frames[:, :, 2] = torch.where(truth[:, None] > 0, 1.0, -1.0) * torch.linspace(-2, 2, FRAMES)
    frames -= frames.mean(1, keepdim=True) if temporal else 0.0
    mask = torch.ones(8, FRAMES, dtype=torch.bool)
    model = video(temporal, pooling)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(80):
        loss = F.cross_entropy(model(frames, mask), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(frames, mask).argmax(-1) == truth).all() and loss < 0.2
    if temporal:
        assert nn.functional.mse_loss(video(None, "mean").encode(frames, mask), torch.zeros(8, 6)) < 1e-10


def test_statistics_of_training_standardise_the_embeddings():
    model, rows = video("conv", "mean"), [torch.randn(n, 6) * 3 + 5 for n in (4, 2, 3)]
    model.fit((row, len(row)) for row in rows)
    frames = model.frame_embeddings(torch.cat(rows)[None])[0]
    torch.testing.assert_close(frames.mean(0), torch.zeros(6), rtol=0, atol=1e-5)
    torch.testing.assert_close(frames.std(0, correction=0), torch.ones(6))
