"""Mixup by hand: features where both clips are real, targets by their shares, the share from a Beta distribution."""

import pytest
import torch
import torch.nn.functional as F
from fusion_toys import clip
from scipy import stats

from avemotion.datasets.clip_batches import collate
from avemotion.params.training.optimizer import LossParams
from avemotion.training.emotion.class_loss import ClassLoss
from avemotion.training.emotion.mixup import mix

pytestmark = pytest.mark.usefixtures("seeded")


def test_the_shorter_of_two_clips_is_mixed_in_as_far_as_it_goes():
    batch = collate([clip(0, 6, 3), clip(1, 4, None), clip(2, None, 2)])
    mixed, [(share, targets), (rest, others)] = mix(batch, 0.5)
    assert 0.5 <= share < 1 and rest == pytest.approx(1 - share) and torch.equal(targets, batch.target)
    order = [batch.target.tolist().index(target) for target in others.tolist()]  # the clips have different targets
    assert sorted(order) == [0, 1, 2] and order != [0, 1, 2]
    for row, other in enumerate(order):
        for name in ("audio", "video"):
            x, mask, out = (getattr(batch, name), getattr(batch, f"{name}_mask"), getattr(mixed, name))
            steps = min(int(mask[row].sum()), int(mask[other].sum()))
            expected = x[row].clone()
            expected[:steps] = share * x[row, :steps] + rest * x[other, :steps]
            torch.testing.assert_close(out[row], expected)
    assert torch.equal(mixed.audio_mask, batch.audio_mask) and mixed.ids == batch.ids


def test_prosody_is_mixed_where_both_clips_have_it():
    batch = collate([clip(0, 3, 1, functionals=2), clip(1, 2, 1, functionals=2), clip(2, None, 1, functionals=2)])
    mixed, [(share, _), (rest, others)] = mix(batch, 0.5)
    order = [batch.target.tolist().index(target) for target in others.tolist()]
    for row, other in enumerate(order):
        own, its = batch.prosody[row], batch.prosody[other]
        expected = own if 2 in (row, other) else share * own + rest * its
        torch.testing.assert_close(mixed.prosody[row], expected, equal_nan=True)


def test_the_share_follows_a_folded_beta_distribution():
    batch, beta = collate([clip(0, 2, 1), clip(1, 2, 1)]), stats.beta(0.2, 0.2)
    shares = [mix(batch, 0.2)[1][0][0] for _ in range(500)]
    assert stats.kstest(shares, lambda x: beta.cdf(x) - beta.cdf(1 - x)).pvalue > 1e-4


def test_without_mixup_nothing_changes_and_nothing_is_drawn():
    batch, state = collate([clip(0, 3, 1), clip(1, 2, 1)]), torch.get_rng_state()
    same, shares = mix(batch, 0.0)
    assert same is batch and shares == [(1.0, batch.target)] and torch.equal(torch.get_rng_state(), state)


def test_the_weighted_losses_are_the_loss_of_soft_targets():
    logits, target, other, share = torch.randn(5, 4), torch.arange(5) % 4, torch.arange(5).flip(0) % 4, 0.7
    criterion = ClassLoss(LossParams(class_weights="none", focal=0.0), 0.1, target)
    ours = share * criterion(logits, target) + (1 - share) * criterion(logits, other)
    soft = share * F.one_hot(target, 4) + (1 - share) * F.one_hot(other, 4)
    torch.testing.assert_close(ours, F.cross_entropy(logits, soft, label_smoothing=0.1))
