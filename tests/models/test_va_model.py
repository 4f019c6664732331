"""The V/A model: sizes by hand, invariances, what a turn may see, and foreign or hand-written recurrences."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from toys import params_with
from va_toys import STATE, UPDATERS, layout, together, turn_inputs, va_model

from avemotion.models.va.dialogue_state import DialogueState, Mamba, Transformer
from avemotion.models.va.poolings import AttentionPooling, StatisticsPooling
from avemotion.models.va.sequence import FiLM, LayerWeighting, MultiScale, SpecMask
from avemotion.models.session import Session
from stages import va

LENGTHS = (5, 1, 3)  # turns of three dialogues; one has a single turn


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def state(**changes):
    return STATE | changes


PARTS = [
    {"pooling": pooling, "interaction": interaction}
    for interaction in ("concat", "bidirectional")
    for pooling in ("mean", "attention", "multihead", "statistics")
]
PARTS += [{"film": film, "interaction": i} for film in ("none", "pooled") for i in ("concat", "cross_attention")]
PARTS += [{"heads": heads, "interaction": i} for heads in ("shared", "separate") for i in ("concat", "cross_attention")]
PARTS += [{"layers": 3}, {"prosody_dim": None}, {"speaker_dim": None}, {"speech_dim": None}, {"fused_dim": None}]
PARTS += [{"scales": [1, 5]}, {"scales": [3], "interaction": "concat", "film": "pooled"}]
PARTS += [{"state": None}, {"state": state(alpha="per_target"), "heads": "shared"}, {"state": state(feedback=False)}]
PARTS += [{"state": state(alpha="per_target")}, {"prosody_dim": None, "fused_dim": None}]
STATES = [{"state": state(updater=updater)} for updater in UPDATERS]
NAMES = ("prediction", "attention", "pooling", "film")


@pytest.mark.parametrize("choices", PARTS + STATES, ids=str)
def test_padding_order_and_company_change_no_output(choices):
    """Each dialogue by itself and each turn without padding, against all of them in another order with rubbish."""
    model = va_model(**choices)
    turns = turn_inputs(sum(LENGTHS), layers=2 if choices.get("layers") else 0)
    dialogues, start = [], 0
    for length in LENGTHS:
        dialogues.append(turns[start : start + length])
        start += length
    alone = [model(**together(d), turns=layout([len(d)])) for d in dialogues]
    one_by_one = []
    for dialogue in dialogues:
        session = Session(model)
        one_by_one.append([session(**turn) for turn in dialogue])
    order = [2, 0, 1]
    for rubbish in (0.0, 300.0, math.nan):
        batch = together([turn for i in order for turn in dialogues[i]], rubbish, extra=3)
        output = model(**batch, turns=layout([LENGTHS[i] for i in order]))
        assert output.prediction.isfinite().all()
        row = 0
        for i in order:
            for k, turn in enumerate(dialogues[i]):
                steps = turn["speech"].shape[1]
                for name in NAMES:
                    ours = getattr(output, name)
                    assert (ours is None) == (getattr(alone[i], name) is None)
                    if ours is None:
                        continue
                    cut = slice(steps) if name in ("attention", "pooling") else slice(None)
                    assert not ours[row].isnan().any()
                    for theirs in (getattr(alone[i], name)[k][cut], getattr(one_by_one[i][k], name)[0]):
                        torch.testing.assert_close(ours[row][cut], theirs, rtol=1e-5, atol=1e-5, msg=f"{name} {i} {k}")
                    if name in ("attention", "pooling"):
                        assert not ours[row][steps:].any()
                        assert ours[row].sum().item() == pytest.approx(1, abs=1e-5)
                row += 1
    assert output.prediction.std(0).min() > 1e-3  # turns do differ


@pytest.mark.parametrize("updater", UPDATERS)
@pytest.mark.parametrize("feedback", [True, False])
def test_a_turn_never_sees_a_later_one(updater, feedback):
    model = va_model(state=state(updater=updater, feedback=feedback, window=8))
    turns = turn_inputs(8)
    whole = model(**together(turns), turns=layout([8])).prediction
    for now in range(8):
        changed = turns[:now] + turn_inputs(8, seed=99)[now:]
        prediction = model(**together(changed), turns=layout([8])).prediction
        torch.testing.assert_close(prediction[:now], whole[:now], rtol=1e-5, atol=1e-5)
        if now < 7:
            assert (prediction[now:] - whole[now:]).abs().min(1).values.min() > 1e-5  # earlier ones it does see


@pytest.mark.parametrize("updater", UPDATERS)
def test_chunks_of_a_dialogue_equal_the_whole(updater):
    """The memory carries everything: pieces of a dialogue, each with gradients of its own, give the same numbers."""
    model = va_model(state=state(updater=updater))
    turns = turn_inputs(7)
    whole = model(**together(turns), turns=layout([7])).prediction
    memory, pieces = None, []
    for piece in (turns[:3], turns[3:6], turns[6:]):
        output = model(**together(piece), turns=layout([len(piece)]), memory=memory)
        memory = output.memory.detach()
        pieces.append(output.prediction)
    torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-5, atol=1e-5)


def test_a_session_needs_a_model_at_rest_and_can_begin_anew():
    model, turns = va_model(), turn_inputs(3)
    session = Session(model)
    first = [session(**turn).prediction for turn in turns]
    session.reset()
    assert all(torch.equal(session(**turn).prediction, p) for turn, p in zip(turns, first, strict=True))
    assert not torch.equal(session(**turns[0]).prediction, first[0])
    with pytest.raises(ValueError, match=r"call model\.eval\(\)"):
        Session(model.train())


@pytest.mark.parametrize("updater", UPDATERS)
def test_memory_is_of_fixed_size(updater):
    session = Session(va_model(state=state(updater=updater)))
    sizes = set()
    for turn in turn_inputs(9):
        session(**turn)
        kept = (session.memory.state, session.memory.previous, *session.memory.carried)
        sizes.add(sum(value.numel() for value in kept))
    assert len(sizes) == 1
    if updater == "linear":
        assert sizes == {8 + 2}  # c_t and the last prediction


def test_ema_by_hand():
    """c_t = alpha c_{t-1} + (1 - alpha) u_t from c_0 = 0."""
    kept = DialogueState(3, size=2, updater="linear", window=1, alpha=0.75, feedback=False)
    memory, by_hand = kept.start(1, torch.zeros(1)), torch.zeros(2)
    for _ in range(4):
        turn = torch.randn(1, 3)
        with torch.no_grad():
            update = kept.updater.update(kept.project(F.layer_norm(turn, (3,))))[0]
            memory = kept(turn, memory)
        by_hand = 0.75 * by_hand + 0.25 * update
        torch.testing.assert_close(memory.state[0, 0], by_hand)


@pytest.mark.parametrize(("alpha", "states"), [(0.5, 1), ("learned", 1), ("per_target", 2)])
def test_alpha(alpha, states):
    kept = DialogueState(3, size=2, updater="linear", window=1, alpha=alpha, feedback=False)
    assert kept.alpha.tolist() == pytest.approx([alpha if isinstance(alpha, float) else 0.8] * states)
    if isinstance(alpha, str):
        for position, bound in ((-50.0, 0.6), (50.0, 0.9)):
            kept.position.data.fill_(position)
            assert kept.alpha.tolist() == pytest.approx([bound] * states)


def test_each_target_has_its_own_moving_average():
    """With alpha_A = 1 the state behind arousal never leaves 0, while valence still sees the past."""
    model = va_model(state=state(alpha="per_target", updater="linear", feedback=False), heads="separate")
    model.state.position.data = torch.tensor([0.0, math.inf])
    turns, others = turn_inputs(3), turn_inputs(3, seed=7)
    kept = type(model.state).alpha.fget(model.state)
    assert kept.tolist() == pytest.approx([0.75, 0.9])
    first = model(**together(turns), turns=layout([3]))
    second = model(**together([*others[:2], turns[2]]), turns=layout([3]))
    assert first.memory.state.shape == (1, 2, 8)
    assert (first.prediction[2] - second.prediction[2]).abs().min() > 1e-4
    ratio = first.memory.state[:, 0] / first.memory.state[:, 1]
    assert (ratio - ratio.mean()).abs().max() > 1e-3  # not one average, scaled


def test_feedback_is_the_previous_prediction_and_training_may_tell_the_truth():
    model = va_model(state=state(updater="linear", alpha=0.0))
    turns = together(turn_inputs(3))
    free = model(**turns, turns=layout([3])).prediction
    truth = torch.full((3, 2), 4.5)
    told = model(**turns, turns=layout([3]), teacher=truth, teacher_share=1.0).prediction
    torch.testing.assert_close(told[0], free[0])  # before the first turn there is nothing to tell
    assert (told[1:] - free[1:]).abs().min() > 1e-4
    # Telling the model what it said itself changes nothing, nor does a truth that nobody knows.
    for same in (free.detach(), torch.full((3, 2), math.nan)):
        again = model(**turns, turns=layout([3]), teacher=same, teacher_share=1.0).prediction
        torch.testing.assert_close(again, free, rtol=1e-4, atol=1e-5)
    assert torch.equal(model(**turns, turns=layout([3]), teacher=truth, teacher_share=0.0).prediction, free)
    deaf = va_model(state=state(updater="linear", feedback=False))
    plain = deaf(**turns, turns=layout([3])).prediction
    assert torch.equal(deaf(**turns, turns=layout([3]), teacher=truth, teacher_share=1.0).prediction, plain)


def mamba_by_hand(mixer, x):
    """The selective state space of Gu and Dao (2023), channel by channel; x [T, D] -> [T, D], in float64."""
    weight = {name: value.double() for name, value in mixer.state_dict().items()}
    steps, (channels, states) = len(x), weight["A_log"].shape
    both = x.double() @ weight["in_proj.weight"].T
    fed, gate = both[:, :channels], both[:, channels:]
    kernel = weight["conv1d.weight"].shape[-1]
    out = torch.zeros(steps, channels, dtype=torch.float64)
    h = torch.zeros(channels, states, dtype=torch.float64)
    for t in range(steps):
        heard = weight["conv1d.bias"].clone()
        for k in range(kernel):
            if t - k >= 0:
                heard += weight["conv1d.weight"][:, 0, kernel - 1 - k] * fed[t - k]
        heard = heard * torch.sigmoid(heard)
        rank = mixer.time_step_rank
        projected = weight["x_proj.weight"] @ heard
        delta, b, c = projected[:rank], projected[rank : rank + states], projected[rank + states :]
        delta = torch.log1p(torch.exp(weight["dt_proj.weight"] @ delta + weight["dt_proj.bias"]))
        for channel in range(channels):
            a = -torch.exp(weight["A_log"][channel])
            h[channel] = torch.exp(delta[channel] * a) * h[channel] + delta[channel] * b * heard[channel]
            out[t, channel] = h[channel] @ c + weight["D"][channel] * heard[channel]
    return (out * gate * torch.sigmoid(gate)) @ weight["out_proj.weight"].T


def test_mamba_against_a_reference_recurrence_and_transformers():
    block = Mamba(8, window=1).eval()
    with torch.no_grad():
        for parameter in block.mixer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = torch.randn(2, 6, 8)
    carried, ours = block.start(x[:, 0]), []
    with torch.no_grad():
        for t in range(6):
            update, carried = block(x[:, t], carried)
            ours.append(update)
        ours = torch.stack(ours, 1)
        normed = block.norm(x)
        torch.testing.assert_close(ours, x + block.mixer(normed), rtol=1e-5, atol=1e-5)
        for row in range(2):
            expected = x[row] + mamba_by_hand(block.mixer, normed[row])
            torch.testing.assert_close(ours[row].double(), expected, rtol=1e-5, atol=1e-5)


def test_mamba_gradients_through_turns_equal_transformers():
    block, x = Mamba(8, window=1), torch.randn(2, 6, 8)
    carried, ours = block.start(x[:, 0]), []
    for t in range(6):
        update, carried = block(x[:, t], carried)
        ours.append(update)
    direction = torch.randn(2, 6, 8)
    parameters = dict(block.named_parameters())
    mine = torch.autograd.grad((torch.stack(ours, 1) * direction).sum(), parameters.values())
    theirs = torch.autograd.grad(((x + block.mixer(block.norm(x))) * direction).sum(), parameters.values())
    for name, a, b in zip(parameters, mine, theirs, strict=True):
        assert b.abs().max() > 0, name
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)


def test_the_transformer_is_causal_attention_with_a_window():
    """Against one masked attention over the whole dialogue."""
    block, x = Transformer(8, window=3).eval(), torch.randn(2, 6, 8)
    carried, ours = block.start(x[:, 0]), []
    for t in range(6):
        update, carried = block(x[:, t], carried)
        ours.append(update)
    distance = torch.arange(6)[:, None] - torch.arange(6)
    slopes = torch.tensor([2**-2.0, 2**-4.0, 2**-6.0, 2**-8.0])
    bias = (-slopes[:, None, None] * distance).masked_fill((distance < 0) | (distance > 2), -math.inf)
    normed = block.norm(x)
    q, k, v = (p(normed).unflatten(-1, (4, 2)).transpose(1, 2) for p in (block.query, block.key, block.value))
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)
    hidden = x + block.out(attended)
    expected = hidden + block.feed_forward(block.norm_out(hidden))
    torch.testing.assert_close(torch.stack(ours, 1), expected, rtol=1e-5, atol=1e-6)


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


def test_branch_weights():
    output = va_model(state=None)(**together(turn_inputs(3)))
    assert set(output.branches) == {"valence", "arousal"}
    for weights in output.branches.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(3))
        assert weights.std() > 1e-3
    assert (output.branches["valence"] - output.branches["arousal"]).abs().max() > 1e-3  # each target its own


def test_own_branch_is_prosody_for_valence_and_speech_for_arousal():
    """With all weight on its own branch a target hears nothing of the rest."""
    model, batch = va_model(state=None, speaker_dim=None), together(turn_inputs(3))
    for weighting in model.heads.weighting.values():
        weighting.score[-1].bias.data.copy_(torch.tensor([1000.0, -1000.0]))

    def changed(name):
        return model(**batch | {name: torch.randn_like(batch[name])}).prediction

    before = model(**batch).prediction
    torch.testing.assert_close(changed("fused"), before)
    torch.testing.assert_close(changed("speech")[:, 0], before[:, 0])
    assert (changed("speech")[:, 1] - before[:, 1]).abs().min() > 1e-4
    assert (changed("prosody")[:, 0] - before[:, 0]).abs().min() > 1e-4


INPUTS = ("speech", "prosody", "speaker", "fused")
SUBSETS = [s for n in range(1, 5) for s in itertools.combinations(INPUTS, n) if s != ("speaker",)]


@pytest.mark.parametrize("subset", [s for s in SUBSETS if "speaker" not in s or "speech" in s], ids="+".join)
@pytest.mark.parametrize("interaction", ["concat", "cross_attention"])
def test_the_model_uses_its_inputs_and_no_others(subset, interaction):
    model = va_model(**{f"{name}_dim": None for name in INPUTS if name not in subset}, interaction=interaction)
    batch, turns = together(turn_inputs(3)), layout([2, 1])
    output = model(**batch, turns=turns)
    assert bool(output.branches) == (len(set(subset) - {"speaker"}) > 1)
    for name in INPUTS:
        if name in subset:
            changed = model(**batch | {name: torch.randn_like(batch[name])}, turns=turns).prediction
            assert (changed - output.prediction).abs().min() > 1e-5, name
        else:
            changed = model(**batch | {name: torch.full_like(batch[name], math.nan)}, turns=turns).prediction
            assert torch.equal(changed, output.prediction), name


def test_predictions_are_in_units_of_the_corpus():
    model, batch = va_model(state=None), together(turn_inputs(3))
    in_units = model(**batch).prediction
    mean, std = model.units.mean.clone(), model.units.std.clone()
    model.units.mean.zero_()
    model.units.std.fill_(1)
    torch.testing.assert_close(in_units, model(**batch).prediction * std + mean)


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


def mlp(inputs, outputs):
    """Linear, norm, Linear, norm, Linear: inputs -> 256 -> 128 -> outputs."""
    return inputs * 256 + 3 * 256 + 256 * 128 + 3 * 128 + 128 * outputs + outputs


def counts(tmp_path, changes):
    return va.summary(va.configure(params_with(tmp_path, changes)))["parts"]


def test_size_of_v1(tmp_path):
    """WavLM large pooled 1024 + prosody 64 + state 64 = 1152 -> 256 -> 128 -> 2; FiLM 192 -> 256 -> 2 * 1024."""
    changes = {"speech.model": "microsoft/wavlm-large", "va.inputs": ["speech", "prosody", "speaker"]}
    changes |= {"va.interaction": "concat", "va.heads": "shared", "va.film": "pooled", "va.state.updater": "linear"}
    changes |= {"va.pooling": "mean", "va.state.feedback": "none", "va.state.alpha": 0.8, "va.state.kind": "ema"}
    found = counts(tmp_path, changes)
    assert found["heads"]["total"] == mlp(1152, 2)
    assert found["film"]["total"] == 192 * 256 + 256 + 256 * 2048 + 2048
    assert found["state"]["total"] == 2 * 1088 + 1088 * 64 + 64 + 64 * 64 + 64
    assert found["prosody"]["total"] == 88 * 64 + 64 + 2 * 64
    assert "projections" not in found and found["interaction"]["total"] == 0
    pooled = counts(tmp_path, changes | {"va.pooling": "attention"})  # V3: softmax(Linear(1024 -> 1))
    assert pooled["interaction"]["total"] == 1024 + 1
    tuned = counts(tmp_path, changes | {"va.finetune_layers": 2})  # V2
    assert tuned["wavlm"]["trainable"] > 2 * 4 * 1024 * 1024 and tuned["heads"] == found["heads"]


def test_size_of_v4(tmp_path):
    """FiLM 192 -> 256 -> 2 * 768 on every step; each head 256 (+ state 64) -> 256 -> 128 -> 1 behind its weighting."""
    changes = {"speech.model": "microsoft/wavlm-base", "va.inputs": ["speech", "prosody", "speaker"]}
    changes |= {"va.interaction": "cross_attention", "va.heads": "branches", "va.film": "steps", "va.dim": 256}
    found = counts(tmp_path, changes | {"va.state.kind": "none"})
    assert found["film"]["total"] == 192 * 256 + 256 + 256 * 1536 + 1536
    weighting = 256 * 256 + 256 + 512 * 256 + 256 + 256 * 2 + 2  # the other part is merged, then the two are scored
    assert found["heads"]["total"] == 2 * (mlp(256, 1) + weighting)
    attention = 4 * (256 * 256 + 256) + 2 * 256 + (768 * 256 + 256) + (64 * 256 + 256) + (256 * 256 + 256)
    assert found["interaction"]["total"] == attention
    found = counts(tmp_path, changes | {"va.state.kind": "ema", "va.state.size": 64})
    assert found["heads"]["total"] == 2 * (mlp(256 + 64, 1) + weighting)
    found = counts(tmp_path, changes | {"va.heads": "separate", "va.state.kind": "none"})
    assert found["heads"]["total"] == 2 * mlp(512, 1)


@pytest.mark.parametrize("updater", UPDATERS)
def test_bf16_is_near_fp32(updater):
    model = va_model(state=state(updater=updater, size=16))
    inputs = together(turn_inputs(6))
    exact = model(**inputs, turns=layout([4, 2])).prediction
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(**inputs, turns=layout([4, 2])).prediction
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.2)


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
