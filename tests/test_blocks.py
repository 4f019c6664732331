"""The building blocks and the valence/arousal model, against hand-written references and scikit-learn."""

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from toys import wake

from stages.lib.models.blocks import CrossAttention, ModalityDropout, Standardize, masked_mean
from stages.lib.models.va import TARGETS, FiLM, VAModel

SIZES = {"speech": 24, "prosody": 7, "speaker": 5, "fused": 6}
INPUTS = tuple(SIZES)
SUBSETS = [
    subset
    for size in range(1, 5)
    for subset in itertools.combinations(INPUTS, size)
    if set(subset) - {"speaker"} and ("speaker" not in subset or "speech" in subset)
]


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def va_model(subset=INPUTS, **options):
    sizes = {f"{name}_dim": SIZES[name] if name in subset else None for name in INPUTS}
    model = wake(VAModel(**sizes, **{"dim": 32, "heads": 4, "dropout": 0.3} | options))
    model.units.fit(torch.randn(40, 2) + torch.tensor([3.0, 2.0]))
    if model.standardize_prosody is not None:
        model.standardize_prosody.fit(5 * torch.randn(40, SIZES["prosody"]) + 1)
    return model.eval()


def turns(lengths=(9, 4, 1)):
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    rows = {name: torch.randn(len(lengths), SIZES[name]) for name in ("prosody", "speaker", "fused")}
    return {"speech": torch.randn(*mask.shape, SIZES["speech"]), "speech_mask": mask, **rows}


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


def test_film_starts_as_identity_and_equals_a_loop_over_steps():
    film, x, speaker = FiLM(5, 6, hidden=16), torch.randn(3, 4, 6), torch.randn(3, 5)
    assert torch.equal(film(x, speaker), x)
    wake(film)
    output = film(x, speaker)
    for row, step in itertools.product(range(3), range(4)):
        gamma, beta = film.network(speaker[row]).split(6)
        torch.testing.assert_close(output[row, step], (1 + torch.tanh(gamma)) * x[row, step] + beta)


def test_va_branch_and_attention_weights():
    batch = turns()
    output = va_model()(**batch)
    assert output.prediction.shape == (3, 2) and set(output.branches) == set(TARGETS)
    for weights in output.branches.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(3))
        assert weights.std() > 1e-3
    torch.testing.assert_close(output.attention.sum(-1), torch.ones(3))
    assert not output.attention[~batch["speech_mask"]].any()
    assert (output.branches["valence"] - output.branches["arousal"]).abs().max() > 1e-3  # each target its own


def test_va_own_branch_is_prosody_for_valence_and_speech_for_arousal():
    """With all weight on its own branch a target hears nothing of the rest."""
    model, batch = va_model(("speech", "prosody", "fused")), turns()
    for head in model.heads.values():
        head.weighting.score[-1].bias.data.copy_(torch.tensor([1000.0, -1000.0]))
    before = model(**batch).prediction
    changed = model(**batch | {"fused": torch.randn(3, SIZES["fused"])}).prediction
    torch.testing.assert_close(changed, before)
    changed = model(**batch | {"speech": torch.randn_like(batch["speech"])}).prediction
    torch.testing.assert_close(changed[:, 0], before[:, 0])
    assert (changed[:, 1] - before[:, 1]).abs().min() > 1e-4
    changed = model(**batch | {"prosody": torch.randn(3, SIZES["prosody"])}).prediction
    assert (changed[:, 0] - before[:, 0]).abs().min() > 1e-4


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_va_uses_its_inputs_and_no_others(subset):
    model, batch = va_model(subset), turns()
    output = model(**batch)
    assert output.prediction.isfinite().all() and (output.attention is not None) == ("speech" in subset)
    assert bool(output.branches) == (len(set(subset) - {"speaker"}) > 1)
    for name in INPUTS:
        if name in subset:
            changed = model(**batch | {name: torch.randn_like(batch[name])}).prediction
            assert (changed - output.prediction).abs().min() > 1e-5, name
        else:
            changed = model(**batch | {name: torch.full_like(batch[name], math.nan)}).prediction
            assert torch.equal(changed, output.prediction), name


@pytest.mark.parametrize("subset", [s for s in SUBSETS if "speech" in s], ids="+".join)
def test_va_padding_order_and_company_change_no_output(subset):
    model, lengths = va_model(subset), (9, 4, 1)
    batch = turns(lengths)
    alone = [
        model(**{k: v[i : i + 1, :n] if k.startswith("speech") else v[i : i + 1] for k, v in batch.items()})
        for i, n in enumerate(lengths)
    ]
    order = torch.tensor([2, 0, 1])
    for value in (0.0, 300.0, math.nan):
        speech = torch.full((3, 12, SIZES["speech"]), value)
        mask = torch.zeros(3, 12, dtype=torch.bool)
        for row, i in enumerate(order.tolist()):
            speech[row, : lengths[i]] = batch["speech"][i, : lengths[i]]
            mask[row, : lengths[i]] = True
        rows = {name: batch[name][order] for name in ("prosody", "speaker", "fused")}
        output = model(speech=speech, speech_mask=mask, **rows)
        for row, i in enumerate(order.tolist()):
            torch.testing.assert_close(output.prediction[row], alone[i].prediction[0], rtol=1e-5, atol=1e-5)
            attention = output.attention[row, : lengths[i]]
            torch.testing.assert_close(attention, alone[i].attention[0], rtol=1e-5, atol=1e-5)
            assert not output.attention[row, lengths[i] :].any()


def test_va_predicts_in_units_of_the_corpus():
    model, batch = va_model(), turns()
    in_units = model(**batch).prediction
    mean, std = model.units.mean.clone(), model.units.std.clone()
    model.units.mean.zero_()
    model.units.std.fill_(1)
    standard_scores = model(**batch).prediction
    torch.testing.assert_close(in_units, standard_scores * std + mean)
