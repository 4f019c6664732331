"""Augmentation of pictures in batches against exact transformations."""

import torch

from avemotion.params.training.augment import StillAugmentParams
from avemotion.training.face import still_sets
from avemotion.training.face.still_batches import DRAWS, Stills, augment_stills

NOTHING = {"turn": 0.0, "scale": 0.0, "shift": 0.0, "flip": 0.0, "erase": 0.0}


def augmented(pictures, size=None, draws=None, **changes):
    params = StillAugmentParams(**NOTHING | changes)
    draws = torch.full((len(pictures), DRAWS), 0.5) if draws is None else draws
    return augment_stills(pictures, draws, size or pictures.shape[-1], params)


def test_nothing_changes_nothing():
    pictures = torch.rand(3, 1, 12, 12)
    moved, erased = augmented(pictures)
    torch.testing.assert_close(moved, pictures)
    assert not erased.any()


def test_exact_changes():
    pictures, highest = torch.rand(2, 1, 12, 12), torch.ones(2, DRAWS)
    torch.testing.assert_close(augmented(pictures, flip=1.0)[0], pictures.flip(-1))
    turned = augmented(pictures, draws=highest, turn=90.0)[0]
    assert any(torch.allclose(turned, torch.rot90(pictures, k, (2, 3)), atol=1e-4) for k in (1, 3))
    shifted = augmented(pictures, draws=highest, shift=0.25)[0]  # by three of twelve pixels
    torch.testing.assert_close(shifted[..., :9, :9], pictures[..., 3:, 3:])
    torch.testing.assert_close(augmented(pictures, size=6)[0].mean(), pictures.mean(), atol=0.1, rtol=0)


def test_a_square_of_an_eighth_to_a_third_is_erased():
    draws = torch.rand(400, DRAWS, generator=torch.Generator().manual_seed(0))
    _, erased = augmented(torch.rand(400, 1, 48, 48), draws=draws, erase=0.3)
    sides = erased.sum((1, 2, 3)).double().sqrt()
    assert 0.2 < (sides > 0).double().mean() < 0.4
    assert sides[sides > 0].min() >= 6 and sides.max() <= 16
    assert set(sides.unique().tolist()) <= set(range(17))  # squares


def stills(count=10):
    return Stills(
        ids=[str(i) for i in range(count)],
        pictures=torch.randint(0, 256, (count, 1, 48, 48)).byte(),
        targets=torch.arange(count) % 3,
    )


def test_a_picture_has_the_same_augmentation_in_any_order_and_batch():
    data, params = stills(), StillAugmentParams(**NOTHING | {"turn": 20.0, "shift": 0.1, "flip": 0.5, "erase": 0.5})
    first = list(data.training(range(10), 36, params, 4, seed=7))
    second = list(data.training(range(9, -1, -1), 36, params, 10, seed=7))
    assert [len(batch.target) for batch in first] == [4, 4, 2]
    torch.testing.assert_close(torch.cat([batch.pictures for batch in first]), second[0].pictures.flip(0))
    other = next(iter(data.training(range(10), 36, params, 10, seed=8)))
    assert not torch.equal(other.pictures, second[0].pictures.flip(0))


def test_an_epoch_has_each_picture_once_or_each_class_equally_often():
    targets = torch.tensor([0] * 7 + [1] * 2)
    first, second = (still_sets.order(targets, epoch, 0, balanced=False) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == list(range(9)) and first != second
    drawn = targets[still_sets.order(targets, 1, 0, balanced=True)]
    assert sorted(drawn.tolist()) in ([0] * 4 + [1] * 5, [0] * 5 + [1] * 4)
