"""The VA model: padding, order and company, what a turn may depend on, and which inputs count."""

import itertools
import math

import pytest
import torch
from va_toys import UPDATERS, layout, state, together, turn_inputs, va_model

from avemotion.models.session import Session

LENGTHS = (5, 1, 3)  # turns of three dialogues; one has a single turn


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
PARTS += [{"heads": "weighted_concat", "interaction": i} for i in ("concat", "cross_attention")]
PARTS += [{"heads": "weighted_concat", "state": s} for s in (None, state(alpha="per_target"))]
ALONE = {"head_inputs": "interaction", "fused_dim": None}
PARTS += [ALONE | {"heads": heads} for heads in ("shared", "separate", "branches", "weighted_concat")]
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


def test_branch_weights():
    output = va_model(state=None)(**together(turn_inputs(3)))
    assert set(output.branches) == {"valence", "arousal"}
    for weights in output.branches.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(3))
        assert weights.std() > 1e-3
    assert (output.branches["valence"] - output.branches["arousal"]).abs().max() > 1e-3  # each target its own


@pytest.mark.parametrize("alpha", [0.8, "per_target"])
def test_weighted_concat_by_hand(alpha):
    """V: prosody by the first weight, speech and state by the second; A: speech by the first, the others by the second.
    The weights come from the whole input of the heads."""
    model = va_model(heads="weighted_concat", interaction="concat", fused_dim=None, state=state(alpha=alpha))
    output = model(**(batch := together(turn_inputs(1))), turns=layout([1]))
    parts, _ = model.parts(**batch)
    for k, target in enumerate(("valence", "arousal")):
        own = output.memory.state[:, k if alpha == "per_target" else 0]
        whole = torch.cat([parts["speech"], parts["prosody"], own], -1)
        first, _, last = model.heads.scaling[target].score
        weights = (last.weight @ torch.tanh(first.weight @ whole[0] + first.bias) + last.bias).softmax(0)
        torch.testing.assert_close(output.branches[target][0], weights)
        speech, prosody = ((1, 0), (0, 1))[k]
        scaled = torch.cat(
            [weights[speech] * parts["speech"], weights[prosody] * parts["prosody"], weights[1] * own], -1
        )
        score = model.heads.mlps[k](scaled)[0, 0]
        torch.testing.assert_close(output.prediction[0, k], score * model.units.std[k] + model.units.mean[k])


def test_weights_of_the_scaled_concatenation_are_in_the_order_of_the_turns():
    model, turns = va_model(heads="weighted_concat"), turn_inputs(5)
    output = model(**together(turns), turns=layout([3, 2]))
    one_by_one = []
    for dialogue in (turns[:3], turns[3:]):
        session = Session(model)
        one_by_one += [session(**turn).branches for turn in dialogue]
    for target, weights in output.branches.items():
        torch.testing.assert_close(weights.sum(-1), torch.ones(5))
        torch.testing.assert_close(weights, torch.cat([of[target] for of in one_by_one]), rtol=1e-5, atol=1e-5)
        assert weights.std(0).min() > 1e-4


def test_heads_on_the_interaction_alone_depend_on_prosody_through_attention_only():
    """With every key alike attention cannot choose, so prosody reaches the heads by the residual query alone."""
    model, batch = va_model(**ALONE, heads="separate", state=None), together(turn_inputs(3))
    assert model.project_prosody is None and model.heads.mlps[0][0].in_features == 16
    moved = model(**batch | {"prosody": torch.randn_like(batch["prosody"])}).prediction
    assert (moved - model(**batch).prediction).abs().min() > 1e-5
    model.interaction.query.weight.data.zero_()
    assert torch.equal(model(**batch | {"prosody": torch.randn_like(batch["prosody"])}).prediction,
                       model(**batch).prediction)  # fmt: skip


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


@pytest.mark.parametrize("updater", UPDATERS)
def test_bf16_is_near_fp32(updater):
    model = va_model(state=state(updater=updater, size=16))
    inputs = together(turn_inputs(6))
    exact = model(**inputs, turns=layout([4, 2])).prediction
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(**inputs, turns=layout([4, 2])).prediction
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.2)
