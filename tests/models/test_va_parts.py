"""Parts of the VA model by hand: poolings, layer weighting, FiLM, time scales, masks."""

import math

import torch

from avemotion.models.encoders.poolings import AttentionPooling, StatisticsPooling
from avemotion.models.speech.layer_weighting import LayerWeighting
from avemotion.models.va.sequence import FiLM, MultiScale, SpecMask


def test_film_is_the_identity_at_first_and_modulates_every_step_alike():
    film, x, speaker = FiLM(6, 4), torch.randn(3, 5, 4), torch.randn(3, 6)
    modulated, norms = film(x, speaker)
    assert torch.equal(modulated, x)
    torch.testing.assert_close(norms, torch.tensor([[2.0, 0.0]] * 3))  # gamma 1 in four dimensions, beta 0
    film.network[-1].bias.data = torch.tensor([0.5, -0.5, 0, 9, 1, 2, 3, 4])
    film.network[-1].weight.data.zero_()
    gamma, beta = torch.tensor([1 + math.tanh(g) for g in (0.5, -0.5, 0, 9)]), torch.tensor([1.0, 2, 3, 4])
    torch.testing.assert_close(film(x, speaker)[0], gamma * x + beta)
    torch.testing.assert_close(film(x[:, 0], speaker)[0], gamma * x[:, 0] + beta)
    torch.testing.assert_close(film(x, speaker)[1][0], torch.stack([gamma.norm(), beta.norm()]))


def test_poolings_by_hand():
    x = torch.tensor([[[1.0, 2], [3, 6], [9, 9]]])
    mask = torch.tensor([[True, True, False]])
    pooled, weights = StatisticsPooling(2, 1)(x, mask)
    torch.testing.assert_close(pooled, torch.tensor([[2.0, 4, 1, 2]]), rtol=1e-5, atol=1e-5)
    assert weights is None
    single = AttentionPooling(2)
    single.score.weight.data, single.score.bias.data = torch.tensor([[1.0, 0]]), torch.tensor([5.0])
    w = 1 / (1 + math.exp(2))
    pooled, weights = single(x, mask)
    torch.testing.assert_close(weights, torch.tensor([[w, 1 - w, 0]]))
    torch.testing.assert_close(pooled, torch.tensor([[w * 1 + (1 - w) * 3, w * 2 + (1 - w) * 6]]))
    multi = AttentionPooling(2, 2)  # each head weighs its own feature: the second by -x_2
    multi.score.weight.data, multi.score.bias.data = torch.tensor([[1.0, 0], [0, -1]]), torch.zeros(2)
    u = 1 / (1 + math.exp(-4))
    pooled, weights = multi(x, mask)
    torch.testing.assert_close(pooled, torch.tensor([[w * 1 + (1 - w) * 3, u * 2 + (1 - u) * 6]]))
    torch.testing.assert_close(weights, torch.tensor([[(w + u) / 2, 1 - (w + u) / 2, 0]]))
    nothing = torch.zeros(1, 3, dtype=torch.bool)
    for pool in (single, multi, StatisticsPooling(2, 1)):
        pooled, weights = pool(torch.full_like(x, math.nan), nothing)
        assert pooled.isfinite().all() and (weights is None or not weights.any())


def test_layer_weighting_starts_equal_and_is_a_softmax():
    weigh, x = LayerWeighting(3), torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(weigh(x), x.mean(2))
    weigh.scores.data = torch.tensor([0.0, math.log(2), math.log(5)])
    torch.testing.assert_close(weigh(x), (x[:, :, 0] + 2 * x[:, :, 1] + 5 * x[:, :, 2]) / 8)


def test_scales_are_moving_means_over_the_real_steps():
    x, mask = torch.randn(2, 6, 3), torch.arange(6) < torch.tensor([[6], [4]])
    garbled = x.masked_fill(~mask.unsqueeze(-1), math.nan)
    scaled = MultiScale([1, 5])(garbled, mask)
    assert scaled.shape == (2, 6, 6)
    for row, length in enumerate((6, 4)):
        for step in range(length):
            around = x[row, max(0, step - 2) : min(length, step + 3)]
            torch.testing.assert_close(scaled[row, step], torch.cat([x[row, step], around.mean(0)]))
    assert MultiScale([1])(x, mask) is x


def test_spec_mask_hides_one_stretch_and_one_band_within_its_shares():
    torch.manual_seed(0)
    steps, features, turns = 40, 50, 400
    lengths = torch.randint(10, steps + 1, (turns,))
    mask, mask_of = torch.arange(steps) < lengths[:, None], SpecMask(0.5, 0.2)
    hidden = mask_of(torch.ones(turns, steps, features), mask) == 0
    times, bands = hidden.all(2), hidden.all(1)
    assert torch.equal(hidden, times.unsqueeze(2) | bands.unsqueeze(1))
    for rows, whole, share in ((times, lengths, 0.5), (bands, torch.full((turns,), features), 0.2)):
        edges = rows.int().diff(dim=1).abs().sum(1) + rows[:, 0].int() + rows[:, -1].int()
        assert set(edges.tolist()) <= {0, 2}  # one stretch or none
        widths = rows.sum(1) / whole
        assert (widths <= share + 1 / whole).all()
        assert abs(widths.mean().item() - share / 2) < 0.02  # uniform from 0 to the share
    assert not (times & ~mask).any()
    x = torch.ones(2, 3, 4)
    assert mask_of.eval()(x, mask[:2, :3]) is x and SpecMask(0.0, 0.0)(x, mask[:2, :3]) is x
