"""What a dialogue leaves behind: an exponential moving average over turns of what an updater makes of each.

c_t = alpha * c_{t-1} + (1 - alpha) * u_t. Everything runs turn by turn, so that a dialogue that comes in live is
computed by the very same operations as a stored one, and so that a prediction can be fed back into the next turn.

Shape letters: B dialogues, I features of a turn, S size of the state, K states (1, or one a target), W window.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOW, HIGH = 0.6, 0.9  # a learned alpha stays between them
Alpha = float | Literal["learned", "per_target"]
Carried = tuple[Tensor, ...]  # what an updater itself remembers, [B, ...] each


@dataclass(frozen=True, kw_only=True)
class Memory:
    """All that later turns see of earlier ones: state [B, K, S], the last prediction [B, 2] as standard scores, and
    what the updater carries (nothing for linear; GRU [B, S]; transformer its last W turns; Mamba two small states)."""

    state: Tensor
    previous: Tensor
    carried: Carried

    def detach(self) -> "Memory":
        """The same numbers; gradients end here."""
        carried = tuple(value.detach() for value in self.carried)
        return Memory(state=self.state.detach(), previous=self.previous.detach(), carried=carried)


class Linear(nn.Module):
    """u_t from the turn alone."""

    def __init__(self, size: int, window: int):
        super().__init__()
        self.update = nn.Linear(size, size)

    def start(self, x: Tensor) -> Carried:
        """Nothing to carry."""
        return ()

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], what to carry."""
        return self.update(x), carried


class Gru(nn.Module):
    """Gated recurrent unit; its hidden state is u_t."""

    def __init__(self, size: int, window: int):
        super().__init__()
        self.cell = nn.GRUCell(size, size)

    def start(self, x: Tensor) -> Carried:
        """Hidden state [B, S]."""
        return (torch.zeros_like(x),)

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], what to carry."""
        hidden = self.cell(x, carried[0])
        return hidden, (hidden,)


class Transformer(nn.Module):
    """One pre-norm block in which the newest turn attends to the last `window` turns, itself included.

    Distance enters as a linear penalty of the scores (ALiBi, Press et al. 2022): nothing depends on how long
    the dialogue has been going on.
    """

    def __init__(self, size: int, window: int, heads: int = 4):
        super().__init__()
        self.heads, self.window = heads, window
        self.norm, self.norm_out = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
        self.out = nn.Linear(size, size)
        self.feed_forward = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))
        slopes = 2.0 ** -(8.0 / heads * torch.arange(1, heads + 1))
        distances = torch.arange(window - 1, -1, -1)
        self.register_buffer("penalty", -slopes[:, None] * distances, persistent=False)  # [heads, W]

    def start(self, x: Tensor) -> Carried:
        """The last turns [B, W, S], newest last, and which of them are real [B, W]."""
        return x.new_zeros(len(x), self.window, x.shape[1]), x.new_zeros(len(x), self.window, dtype=torch.bool)

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], what to carry."""
        turns, real = carried
        turns = torch.cat([turns[:, 1:], x.unsqueeze(1).to(turns.dtype)], 1)
        real = torch.cat([real[:, 1:], real.new_ones(len(x), 1)], 1)
        normed = self.norm(turns)
        query = self.query(normed[:, -1:]).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, heads, 1, S/heads]
        keys, values = (
            project(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in (self.key, self.value)
        )
        scores = (query @ keys.transpose(2, 3)).squeeze(2) / math.sqrt(keys.shape[-1]) + self.penalty
        weights = scores.masked_fill(~real.unsqueeze(1), -torch.inf).softmax(-1)
        attended = x + self.out((weights.unsqueeze(2).to(values.dtype) @ values).flatten(1))
        return attended + self.feed_forward(self.norm_out(attended)), (turns, real)


class Mamba(nn.Module):
    """One pre-norm Mamba block (Gu and Dao 2023): the weights and initial values of transformers' mixer.

    The recurrence is written out, because the mixer's own step changes its cache in place, through which no
    gradient passes; over a whole sequence the two give the same numbers (tested).
    """

    def __init__(self, size: int, window: int):
        from transformers import MambaConfig
        from transformers.models.mamba.modeling_mamba import MambaMixer

        super().__init__()
        self.norm = nn.LayerNorm(size)
        config = MambaConfig(hidden_size=size, num_hidden_layers=1, state_size=16, conv_kernel=4, expand=2)
        self.mixer = MambaMixer(config, layer_idx=0)

    def start(self, x: Tensor) -> Carried:
        """The convolution's last inputs [B, 2 S, kernel - 1] and the state space [B, 2 S, 16]."""
        mixer = self.mixer
        past = x.new_zeros(len(x), mixer.intermediate_size, mixer.conv_kernel_size - 1)
        return past, x.new_zeros(len(x), mixer.intermediate_size, mixer.ssm_state_size)

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], what to carry."""
        mixer, (past, space) = self.mixer, carried
        fed, gate = mixer.in_proj(self.norm(x)).chunk(2, -1)
        seen = torch.cat([past, fed.unsqueeze(-1).to(past.dtype)], -1)  # [B, 2 S, kernel]
        heard = F.silu((seen * mixer.conv1d.weight.squeeze(1)).sum(-1) + mixer.conv1d.bias)
        rank, states = mixer.time_step_rank, mixer.ssm_state_size
        step, enter, leave = mixer.x_proj(heard).split([rank, states, states], -1)
        step = F.softplus(mixer.dt_proj(step)).unsqueeze(-1)  # [B, 2 S, 1]
        decay = (step * -mixer.A_log.exp()).exp()
        space = decay * space + step * enter.unsqueeze(1) * heard.unsqueeze(-1)
        read = (space * leave.unsqueeze(1)).sum(-1) + mixer.D * heard
        return x + mixer.out_proj(read * F.silu(gate)), (seen[..., 1:], space)


UPDATERS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": Linear,
    "gru": Gru,
    "transformer": Transformer,
    "mamba": Mamba,
}


class DialogueState(nn.Module):
    """The moving average over the turns of a dialogue.

    Args:
        inputs: features I of a turn. size: S.
        updater: linear | gru | transformer | mamba. window: turns that the transformer sees.
        alpha: a fixed value, `learned` in [0.6, 0.9], or `per_target`: learned, one for V and one for A.
        feedback: whether the previous prediction is part of the updater's input.
    """

    fixed: Tensor

    def __init__(self, inputs: int, *, size: int, updater: str, window: int, alpha: Alpha, feedback: bool):
        super().__init__()
        self.size, self.feedback = size, feedback
        self.states = 2 if alpha == "per_target" else 1
        self.norm = nn.LayerNorm(inputs)
        self.project = nn.Linear(inputs + 2 * feedback, size)
        self.updater = UPDATERS[updater](size, window)
        if isinstance(alpha, float):
            self.position = None
            self.register_buffer("fixed", torch.tensor([alpha]))
        else:
            self.position = nn.Parameter(torch.full((self.states,), math.log(2)))  # alpha starts at 0.8

    @property
    def alpha(self) -> Tensor:
        """[K]."""
        return self.fixed if self.position is None else LOW + (HIGH - LOW) * self.position.sigmoid()

    def start(self, dialogues: int, like: Tensor) -> Memory:
        """The memory before the first turn; like: any tensor of the wanted dtype and device."""
        state = like.new_zeros(dialogues, self.states, self.size)
        carried = self.updater.start(state[:, 0])
        return Memory(state=state, previous=like.new_zeros(dialogues, 2), carried=carried)

    def forward(self, turn: Tensor, memory: Memory) -> Memory:
        """turn [B, I] -> the memory after it (its `previous` is still that of the turn before)."""
        turn = self.norm(turn)
        if self.feedback:
            turn = torch.cat([turn, memory.previous.to(turn.dtype)], -1)
        update, carried = self.updater(self.project(turn), memory.carried)
        alpha = self.alpha.unsqueeze(-1)
        state = alpha * memory.state + (1 - alpha) * update.unsqueeze(1)
        return Memory(state=state, previous=memory.previous, carried=carried)
