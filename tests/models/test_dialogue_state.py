"""The state of a dialogue: foreign or hand-written recurrences, and a memory of fixed size."""

import math

import pytest
import torch
import torch.nn.functional as F
from va_toys import UPDATERS, state, turn_inputs, va_model

from avemotion.models.session import Session
from avemotion.models.va.dialogue_state import DialogueState, Mamba, Transformer


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
    kept = DialogueState(3, 2, size=2, updater="linear", window=1, alpha=0.75, feedback=False)
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
    kept = DialogueState(3, 2, size=2, updater="linear", window=1, alpha=alpha, feedback=False)
    assert kept.alpha.tolist() == pytest.approx([alpha if isinstance(alpha, float) else 0.8] * states)
    if isinstance(alpha, str):
        for position, bound in ((-50.0, 0.6), (50.0, 0.9)):
            kept.position.data.fill_(position)
            assert kept.alpha.tolist() == pytest.approx([bound] * states)


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
