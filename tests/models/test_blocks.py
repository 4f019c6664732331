"""The building blocks, against hand-written references and scikit-learn."""

import math

import numpy as np
import torch
from fusion_toys import wake
from sklearn.preprocessing import StandardScaler

from avemotion.models.encoders.blocks import CrossAttention, ModalityDropout, Standardize, masked_mean


def test_masked_mean_leaves_padding_out():
    x = torch.tensor([[[1.0, 2], [3, 6], [math.nan, math.inf]], [[math.nan, 1], [1, 1], [1, 1]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(x, mask).tolist() == [[2, 4], [0, 0]]


def test_standardize_agrees_with_scikit_learn():
    rows = np.random.default_rng(0).normal([100, -3, 7, 0], [20, 1e-3, 0, 5], (50, 4))
    rows[:, 2] = 7.25  # constant
    ours, theirs = Standardize(4), StandardScaler().fit(rows)
    ours.fit(torch.from_numpy(rows))
    x = torch.from_numpy(rows).float()
    torch.testing.assert_close(ours(x), torch.from_numpy(theirs.transform(x)).float(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(ours.std, torch.from_numpy(theirs.scale_).float())
    torch.testing.assert_close(ours.mean, torch.from_numpy(theirs.mean_).float())
    torch.testing.assert_close(ours.invert(ours(x)), x)
    assert set(ours.state_dict()) == {"mean", "std"}  # they travel with the weights


def test_modality_dropout_hits_its_rates_and_never_both():
    clips, rates = 20_000, {"audio": 0.2, "video": 0.3}
    real = torch.ones(clips, 3, dtype=torch.bool)
    audio, video = ModalityDropout(**rates)(real, real[:, :2])
    assert audio.shape == (clips, 3) and video.shape == (clips, 2)
    lost = {"audio": ~audio.any(1), "video": ~video.any(1)}
    assert not (lost["audio"] & lost["video"]).any()
    for name, rate in rates.items():
        deviation = (rate * (1 - rate) / clips) ** 0.5
        assert abs(lost[name].float().mean().item() - rate) < 4 * deviation
        assert (audio if name == "audio" else video)[~lost[name]].all()  # whole clips or nothing
    both = ModalityDropout(0.5, 0.5)(real, real)
    assert (both[0].any(1) ^ both[1].any(1)).all()


def test_modality_dropout_spares_the_only_modality_and_evaluation():
    real, absent = torch.ones(200, 3, dtype=torch.bool), torch.zeros(200, 2, dtype=torch.bool)
    dropout = ModalityDropout(0.5, 0.5)
    assert dropout(real, absent)[0].all() and dropout(absent, real)[1].all()
    assert all(mask.all() for mask in dropout.eval()(real, real))


def test_cross_attention_equals_softmax_of_scaled_products():
    dim, heads, size = 12, 3, 4
    block = wake(CrossAttention(dim, heads, dropout=0.5)).eval()
    query, keys = torch.randn(2, 5, dim), torch.randn(2, 7, dim)
    lengths = (7, 4)
    mask = torch.arange(7)[None] < torch.tensor(lengths)[:, None]
    output, weights = block(query, keys, mask)
    projections, biases = block.attention.in_proj_weight.chunk(3), block.attention.in_proj_bias.chunk(3)
    for row, length in enumerate(lengths):
        inputs = (query[row], keys[row, :length], keys[row, :length])
        q, k, v = (x @ w.T + b for x, w, b in zip(inputs, projections, biases, strict=True))
        attended = torch.empty(5, dim)
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = q[:, part] @ k[:, part].T / math.sqrt(size)
            shares = scores.exp() / scores.exp().sum(1, keepdim=True)
            torch.testing.assert_close(weights[row, head, :, :length], shares)
            assert not weights[row, head, :, length:].any()
            attended[:, part] = shares @ v[:, part]
        x = query[row] + attended @ block.attention.out_proj.weight.T + block.attention.out_proj.bias
        x = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + block.norm.eps).sqrt()
        torch.testing.assert_close(output[row], x * block.norm.weight + block.norm.bias, rtol=1e-5, atol=1e-5)


def test_stochastic_depth_drops_the_branch_and_keeps_the_query():
    query, keys, mask = torch.randn(400, 2, 8), torch.randn(400, 3, 8), torch.ones(400, 3, dtype=torch.bool)
    block = CrossAttention(8, 2, dropout=0.0, stochastic_depth=0.25).train()
    skipped = (block(query, keys, mask)[0] - block.norm(query)).abs().amax((1, 2)) < 1e-6
    assert abs(int(skipped.sum()) - 100) < 5 * math.sqrt(400 * 0.25 * 0.75)
    assert not ((block.eval()(query, keys, mask)[0] - block.norm(query)).abs().amax((1, 2)) < 1e-6).any()


def test_cross_attention_without_any_key_passes_the_query_on():
    block = wake(CrossAttention(8, 2, dropout=0.0))
    query, keys = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    output, weights = block(query, keys, torch.tensor([[True] * 4, [False] * 4]))
    torch.testing.assert_close(output[1], block.norm(query[1]))
    assert not weights[1].any() and weights[0].sum(-1).allclose(torch.ones(2, 3))
    output.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in block.parameters())
