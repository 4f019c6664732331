"""Classes that differ in size: weights, focal loss and balanced batches by hand and against other libraries."""

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from project_params import params_with
from sklearn.utils.class_weight import compute_class_weight
from torchvision.ops import sigmoid_focal_loss

from avemotion.datasets.clip_batches import BalancedSampler, ClipDataset, sampler_of, training_batches
from avemotion.params.training.optimizer import LossParams
from avemotion.training.emotion.class_loss import ClassLoss, class_loss, class_weights
from stages import pretrain_audio, pretrain_video

TARGETS = torch.tensor([0] * 6 + [1] * 3 + [3] * 1)  # class 2 has no clip


def test_weights_by_hand():
    assert class_weights("none", TARGETS, 4) is None
    # 10 clips, 3 classes with clips: 10 / (3 * 6), 10 / (3 * 3), 10 / (3 * 1).
    inverse = class_weights("inverse", TARGETS, 4)
    assert inverse.tolist() == pytest.approx([10 / 18, 10 / 9, 0, 10 / 3])
    by_sklearn = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=TARGETS.numpy())
    assert inverse[[0, 1, 3]].tolist() == pytest.approx(by_sklearn.tolist())
    assert inverse[TARGETS].mean().item() == pytest.approx(1)
    effective = class_weights("effective", TARGETS, 4)
    raw = [(1 - 0.999) / (1 - 0.999**n) for n in (6, 3, 1)]  # about 1/6, 1/3 and 1
    assert effective.tolist() == pytest.approx(
        [*(3 * w / sum(raw) for w in raw[:2]), 0, 3 * raw[2] / sum(raw)], rel=1e-5
    )
    # Of large classes the effective numbers saturate at 1000: both weigh nearly the same.
    large = class_weights("effective", torch.tensor([0] * 20000 + [1] * 10000), 2)
    assert large.tolist() == pytest.approx([1, 1], abs=1e-4)


def test_loss_by_hand():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    targets, weights = torch.tensor([0, 0, 1]), torch.tensor([0.5, 2.0])
    p = np.array([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1)), 0.5])
    w = np.array([0.5, 0.5, 2.0])
    found = class_loss(logits, targets, weights, 0.0, 0.0).item()
    assert found == pytest.approx((w * -np.log(p)).sum() / w.sum(), rel=1e-5)
    found = class_loss(logits, targets, weights, 2.0, 0.0).item()
    assert found == pytest.approx((w * (1 - p) ** 2 * -np.log(p)).sum() / w.sum(), rel=1e-5)


def test_two_classes_are_the_focal_loss_of_torchvision():
    difference = torch.tensor([-3.0, -0.5, 0.2, 4.0])
    targets = torch.tensor([0, 1, 1, 0])
    expected = sigmoid_focal_loss(difference, targets.float(), alpha=-1, gamma=1.5, reduction="mean")
    found = class_loss(torch.stack([torch.zeros(4), difference], 1), targets, None, 1.5, 0.0)
    torch.testing.assert_close(found, expected)


def test_without_weights_and_focus_it_is_cross_entropy_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(9, 4, generator=generator), torch.arange(9) % 4
    plain = ClassLoss(LossParams(class_weights="none", focal=0.0), 0.05, TARGETS)
    assert torch.equal(plain(logits, targets), F.cross_entropy(logits, targets, label_smoothing=0.05))
    # The limit of a small gamma is the same loss, also with weights and smoothing.
    weights = class_weights("effective", torch.arange(12) % 4, 4)
    almost = class_loss(logits, targets, weights, 1e-6, 0.05)
    torch.testing.assert_close(almost, F.cross_entropy(logits, targets, weight=weights, label_smoothing=0.05))


@pytest.mark.parametrize(("kind", "shares"), [("none", [0.6, 0.3, 0.1]), ("inverse", [1 / 3, 1 / 3, 1 / 3])])
def test_without_any_input_a_model_learns_the_weighted_frequencies(kind, shares):
    """Cross-entropy of constant logits is least where p of each class is its share of all weights."""
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    loss, logits = (
        ClassLoss(LossParams(class_weights=kind, focal=0.0), 0.0, targets),
        torch.zeros(3, requires_grad=True),
    )
    optimizer = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(logits.expand(10, 3), targets)
        value.backward()
        return value

    optimizer.step(closure)
    assert logits.softmax(-1).tolist() == pytest.approx(shares, abs=1e-3)


def test_balanced_batches_have_every_class_equally_often():
    sampler = BalancedSampler(TARGETS, seed=5)
    epochs = []
    for epoch in range(1, 8):
        sampler.epoch = epoch
        drawn = list(sampler)
        assert len(drawn) == 10 and {key[0] for key in drawn} == {epoch}
        positions = [i for _, i in drawn]
        counts = Counter(TARGETS[positions].tolist())
        assert sorted(counts.values()) == [3, 3, 4] and set(counts) == {0, 1, 3}
        large = [i for i in positions if i < 6]
        assert len(set(large)) == len(large)  # of a class with enough clips none is drawn twice
        assert sampler.epoch == epoch and positions == [i for _, i in sampler]  # the same order again
        epochs.append(positions)
    assert len(set(map(tuple, epochs))) == 7
    assert {i for positions in epochs for i in positions} == set(range(10))


def test_training_batches_are_balanced_on_request():
    dataset = ClipDataset([f"c{i}" for i in range(10)], TARGETS, None, None)
    for kind, counts in (("balanced", [3, 3, 4]), ("shuffled", [1, 3, 6]), ("by_length", [1, 3, 6])):
        batches = training_batches(dataset, 4, seed=1, sampler=sampler_of(kind, dataset, 4, seed=1))(1)
        drawn = torch.cat([batch.target for batch in batches]).tolist()
        assert sorted(Counter(drawn).values()) == counts


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        (
            pretrain_audio,
            {"pretrain_audio.loss": {"class_weights": "log", "focal": 0.0}},
            "loss.class_weights is 'log'; choose one of none, inverse, effective",
        ),
        (
            pretrain_audio,
            {"pretrain_audio.loss": {"class_weights": "none", "focal": -1.0}},
            r"loss\.focal is -1\.0; give 0 \(cross-entropy\) or more",
        ),
        (
            pretrain_video,
            {"pretrain_video.sampling": "even"},
            "sampling is 'even'; choose one of shuffled, balanced, by_length",
        ),
    ],
)
def test_mistakes_in_the_params(tmp_path, stage, changes, message):
    with pytest.raises(ValueError, match=message):
        stage.configure(params_with(tmp_path, changes))


@pytest.mark.parametrize("focal", [0.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0])])
def test_shares_of_one_class_are_that_class(weights, smoothing, focal):
    logits, targets = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 3
    hard, soft = (class_loss(logits, of, weights, focal, smoothing) for of in (targets, torch.eye(3)[targets]))
    torch.testing.assert_close(soft, hard)


def test_shares_by_hand():
    logits, shares = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    logarithms = logits.log_softmax(-1)
    by_hand = -(0.75 * logarithms[0, 0] + 0.25 * logarithms[0, 1] + 0.5 * logarithms[1].sum()) / 2
    torch.testing.assert_close(class_loss(logits, shares, None, 0.0, 0.0), by_hand)
    smoothed = F.cross_entropy(logits, shares, label_smoothing=0.1)
    torch.testing.assert_close(class_loss(logits, shares, None, 0.0, 0.1), smoothed)
    # Weights 1 and 3: clips weigh .75 + .75 and .5 + 1.5.
    weighted = -(0.75 * logarithms[0, 0] + 0.75 * logarithms[0, 1] + 0.5 * logarithms[1, 0] + 1.5 * logarithms[1, 1])
    torch.testing.assert_close(class_loss(logits, shares, torch.tensor([1.0, 3.0]), 0.0, 0.0), weighted / 3.5)
