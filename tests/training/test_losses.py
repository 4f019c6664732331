"""The VA objective: CCC and the loss by hand, against torchmetrics, and with labels missing."""

import math

import pytest
import torch
from drifting import WEIGHTS
from torchmetrics import ConcordanceCorrCoef

from avemotion.training.va import losses
from avemotion.training.va.losses import VALoss, Weights, va_loss

pytestmark = pytest.mark.usefixtures("seeded")


def ccc_by_hand(p, t):
    n = len(p)
    mean_p, mean_t = sum(p) / n, sum(t) / n
    covariance = sum((a - mean_p) * (b - mean_t) for a, b in zip(p, t, strict=True)) / n
    variances = sum((a - mean_p) ** 2 for a in p) / n, sum((b - mean_t) ** 2 for b in t) / n
    return 2 * covariance / (sum(variances) + (mean_p - mean_t) ** 2)


def test_ccc_by_hand_and_against_torchmetrics():
    prediction = torch.randn(30, 2, dtype=torch.float64)
    target = 0.6 * prediction + 0.5 * torch.randn(30, 2, dtype=torch.float64) + torch.tensor([0.3, -2.0])
    ours = losses.ccc(prediction, target)
    for k in range(2):
        assert ours[k].item() == pytest.approx(ccc_by_hand(prediction[:, k].tolist(), target[:, k].tolist()))
    # torchmetrics divides by n - 1. With both columns shifted to mean 0 the factor cancels and the two are equal;
    # otherwise 1/ccc - (difference of means)^2 / (2 cov) is what they share, cov differing by n/(n-1).
    theirs = ConcordanceCorrCoef(num_outputs=2)
    centred = prediction - prediction.mean(0), target - target.mean(0)
    torch.testing.assert_close(losses.ccc(*centred), theirs(*centred).double(), rtol=1e-5, atol=1e-6)
    shift = (prediction.mean(0) - target.mean(0)).square()
    covariance = (centred[0] * centred[1]).mean(0)
    expected = 1 / (1 / ours - shift / (2 * covariance) * (1 - 29 / 30))
    theirs.reset()
    torch.testing.assert_close(theirs(prediction, target).double(), expected, rtol=1e-5, atol=1e-6)
    assert (expected - ours).abs().max() > 1e-4


def test_va_loss_by_hand_and_without_unknown_targets():
    prediction, nan = torch.tensor([[1.0, 2.0], [2.0, 2.5], [4.0, 1.0], [3.0, 3.0]]), math.nan
    target = torch.tensor([[1.5, nan], [2.5, 3.0], [3.0, 1.5], [nan, 2.0]])
    v = ([1.0, 2, 4], [1.5, 2.5, 3])
    a = ([2.5, 1, 3], [3.0, 1.5, 2])
    mse_v, mse_a = (0.25 + 0.25 + 1) / 3, (0.25 + 0.25 + 1) / 3
    expected = 1 - (0.7 * ccc_by_hand(*v) + 0.2 * ccc_by_hand(*a)) + 0.1 * (mse_v + mse_a)
    prediction.requires_grad_(True)
    loss = losses.va_loss(prediction, target, Weights(ccc=[0.7, 0.2], mse=0.1))
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert prediction.grad.isfinite().all()
    unknown = target.isnan()
    assert not prediction.grad[unknown].any() and prediction.grad[~unknown].all()
    only = losses.va_loss(prediction, torch.full((4, 2), nan), Weights(ccc=[0.5, 0.5], mse=0.1))
    assert only.item() == 1.0


def test_three_targets_of_which_one_is_missing_in_half_of_the_turns():
    prediction, target = torch.randn(8, 3), torch.randn(8, 3)
    target[::2, 2] = math.nan
    expected, weights = 1.0, Weights(ccc=[0.5, 0.3, 0.4], mse=0.1)
    for k, weight in enumerate(weights.ccc):
        pairs = [(p, t) for p, t in zip(prediction[:, k].tolist(), target[:, k].tolist(), strict=True) if t == t]
        p, t = zip(*pairs, strict=True)
        expected += 0.1 * sum((a - b) ** 2 for a, b in pairs) / len(pairs) - weight * ccc_by_hand(p, t)
    assert va_loss(prediction, target, weights).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_of_the_va_loss_against_finite_differences():
    prediction = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(6, 2, dtype=torch.float64)
    target[2, 0] = math.nan
    assert torch.autograd.gradcheck(lambda p: losses.va_loss(p, target, Weights(ccc=[0.6, 0.4], mse=0.1)), prediction)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("rows", [1, 5])
def test_constant_targets_and_predictions_give_no_nan(same, rows):
    prediction = torch.full((rows, 2), 3.0, requires_grad=True)
    loss = losses.va_loss(prediction, torch.full((rows, 2), 3.0 if same else 2.0), Weights(ccc=[0.5, 0.5], mse=0.1))
    loss.backward()
    assert loss.isfinite() and prediction.grad.isfinite().all()
    assert loss.item() == pytest.approx(1.0 if same else 1.2)  # CCC 0; MSE 0 or 1 each


def test_ccc_over_several_batches():
    prediction, target = torch.randn(12, 2, requires_grad=True), torch.randn(12, 2)
    target[5, 0] = math.nan
    loss, found = VALoss(WEIGHTS, 2), []
    for piece in range(4):
        rows = slice(3 * piece, 3 * piece + 3)
        found.append(loss(prediction[rows], target[rows]))
    for piece, first in ((0, 0), (1, 0), (2, 0), (3, 3)):  # at most two batches before
        rows = slice(first, 3 * piece + 3)
        assert found[piece].item() == pytest.approx(va_loss(prediction[rows], target[rows], WEIGHTS).item())
    (gradient,) = torch.autograd.grad(found[3], prediction)
    assert not gradient[:9].any() and gradient[9:].all()  # the earlier ones count, but only the batch learns
    (whole,) = torch.autograd.grad(va_loss(prediction[3:], target[3:], WEIGHTS), prediction)
    torch.testing.assert_close(gradient[9:], whole[9:])
    alone = VALoss(WEIGHTS, 0)
    assert alone(prediction[:3], target[:3]).item() == alone(prediction[:3], target[:3]).item()


def test_a_batch_without_any_label_has_a_loss_and_a_gradient_of_zero():
    prediction = torch.randn(3, 2, requires_grad=True)
    loss = va_loss(prediction, torch.full((3, 2), math.nan), WEIGHTS)
    loss.backward()
    assert loss.item() == 1 and not prediction.grad.any()
