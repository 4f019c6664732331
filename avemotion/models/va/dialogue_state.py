"""The state of a dialogue: an exponential moving average over the updates of its turns.

c_t = alpha * c_{t-1} + (1 - alpha) * u_t with the updater's output u_t. The model computes turn by turn, so a live
dialogue needs the same operations as a stored one, and a prediction can be an input of the next turn.

Shape letters: B dialogues, I features of a turn, S size of the state, K targets, N states (1, or one per target),
W window.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOW, HIGH = 0.6, 0.9  # bounds of a learned alpha
Alpha = float | Literal["learned", "per_target"]
Carried = tuple[Tensor, ...]  # the updater's own memory, [B, ...] each


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The inputs of a turn from earlier turns."""

    state: Tensor  # [B, N, S]
    previous: Tensor  # [B, K]: the last prediction in standard scores
    carried: (
        Carried  # of the updater: none for linear; gru [B, S]; transformer its last W turns; mamba two small states
    )

    def detach(self) -> "Memory":
        """A copy through which no gradient passes."""
        carried = tuple(value.detach() for value in self.carried)
        return Memory(state=self.state.detach(), previous=self.previous.detach(), carried=carried)


class Updater(nn.Module, ABC):
    """Computes the update u_t of a turn."""

    @abstractmethod
    def start(self, x: Tensor) -> Carried:
        """x [B, S] -> the memory before the first turn."""

    @abstractmethod
    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], the memory after the turn."""


class Linear(Updater):
    """u_t depends on the turn alone."""

    def __init__(self, size: int, window: int):
        super().__init__()
        self.update = nn.Linear(size, size)

    def start(self, x: Tensor) -> Carried:
        """No memory."""
        return ()

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], the memory after the turn."""
        return self.update(x), carried


class Gru(Updater):
    """Gated recurrent unit; its hidden state is u_t."""

    def __init__(self, size: int, window: int):
        super().__init__()
        self.cell = nn.GRUCell(size, size)

    def start(self, x: Tensor) -> Carried:
        """Hidden state [B, S]."""
        return (torch.zeros_like(x),)

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], the memory after the turn."""
        hidden = self.cell(x, carried[0])
        return hidden, (hidden,)


class Transformer(Updater):
    """One pre-norm block in which the newest turn attends to the last `window` turns, itself included.

    A linear penalty of the scores encodes distance (ALiBi, Press et al. 2022), so the result does not depend on the
    position of a turn in the dialogue.
    """

    penalty: Tensor

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
        """The last turns [B, W, S], newest last, and their mask [B, W]."""
        return x.new_zeros(len(x), self.window, x.shape[1]), x.new_zeros(len(x), self.window, dtype=torch.bool)

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], the memory after the turn."""
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


class Mamba(Updater):
    """One pre-norm Mamba block (Gu and Dao 2023) with the weights and initial values of transformers' MambaMixer.

    `forward` has its own recurrence, because the mixer's step changes its cache in place, which stops gradients. Over a
    whole sequence both give the same numbers (tested).
    """

    def __init__(self, size: int, window: int):
        from transformers import MambaConfig
        from transformers.models.mamba.modeling_mamba import MambaMixer

        super().__init__()
        self.norm = nn.LayerNorm(size)
        config = MambaConfig(hidden_size=size, num_hidden_layers=1, state_size=16, conv_kernel=4, expand=2)
        self.mixer = MambaMixer(config, layer_idx=0)

    def start(self, x: Tensor) -> Carried:
        """The last inputs of the convolution [B, 2 S, kernel - 1] and the state space [B, 2 S, 16]."""
        mixer = self.mixer
        past = x.new_zeros(len(x), mixer.intermediate_size, mixer.conv_kernel_size - 1)
        return past, x.new_zeros(len(x), mixer.intermediate_size, mixer.ssm_state_size)

    def forward(self, x: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """x [B, S] -> u_t [B, S], the memory after the turn."""
        mixer, (past, space) = self.mixer, carried
        projected, gate = mixer.in_proj(self.norm(x)).chunk(2, -1)
        window = torch.cat([past, projected.unsqueeze(-1).to(past.dtype)], -1)  # [B, 2 S, kernel]
        bias = mixer.conv1d.bias
        assert bias is not None
        convolved = F.silu((window * mixer.conv1d.weight.squeeze(1)).sum(-1) + bias)
        rank, states = mixer.time_step_rank, mixer.ssm_state_size
        step, b, c = mixer.x_proj(convolved).split([rank, states, states], -1)  # b, c: B and C of the state space model
        step = F.softplus(mixer.dt_proj(step)).unsqueeze(-1)  # [B, 2 S, 1]
        decay = (step * -mixer.A_log.exp()).exp()
        space = decay * space + step * b.unsqueeze(1) * convolved.unsqueeze(-1)
        output = (space * c.unsqueeze(1)).sum(-1) + mixer.D * convolved
        return x + mixer.out_proj(output * F.silu(gate)), (window[..., 1:], space)


UPDATERS: dict[str, Callable[[int, int], Updater]] = {
    "linear": Linear,
    "gru": Gru,
    "transformer": Transformer,
    "mamba": Mamba,
}


class DialogueState(nn.Module):
    """The moving average over the turns of a dialogue.

    Args:
        inputs: features I of a turn. targets: their number K. size: S.
        updater: a key of UPDATERS. window: turns in the attention window of the transformer.
        alpha: a fixed value, `learned` in [0.6, 0.9], or `per_target`: learned, one for each target.
        feedback: whether the previous prediction is part of the updater's input.
    """

    fixed: Tensor

    def __init__(
        self, inputs: int, targets: int, *, size: int, updater: str, window: int, alpha: Alpha, feedback: bool
    ):
        super().__init__()
        self.targets, self.size, self.feedback = targets, size, feedback
        self.states = targets if alpha == "per_target" else 1
        self.norm = nn.LayerNorm(inputs)
        self.project = nn.Linear(inputs + targets * feedback, size)
        self.updater = UPDATERS[updater](size, window)
        self.position: nn.Parameter | None
        if isinstance(alpha, float):
            self.position = None
            self.register_buffer("fixed", torch.tensor([alpha]))
        else:
            self.position = nn.Parameter(torch.full((self.states,), math.log(2)))  # alpha starts at 0.8

    @property
    def alpha(self) -> Tensor:
        """[N]."""
        return self.fixed if self.position is None else LOW + (HIGH - LOW) * self.position.sigmoid()

    def start(self, dialogues: int, like: Tensor) -> Memory:
        """The memory before the first turn, with the dtype and device of `like`."""
        state = like.new_zeros(dialogues, self.states, self.size)
        carried = self.updater.start(state[:, 0])
        return Memory(state=state, previous=like.new_zeros(dialogues, self.targets), carried=carried)

    def forward(self, turn: Tensor, memory: Memory) -> Memory:
        """turn [B, I], memory before it -> memory after it; the caller replaces `previous`, which is unchanged."""
        turn = self.norm(turn)
        if self.feedback:
            turn = torch.cat([turn, memory.previous.to(turn.dtype)], -1)
        update, carried = self.updater(self.project(turn), memory.carried)
        alpha = self.alpha.unsqueeze(-1)
        state = alpha * memory.state + (1 - alpha) * update.unsqueeze(1)
        return Memory(state=state, previous=memory.previous, carried=carried)
