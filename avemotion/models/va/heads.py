"""Heads for valence, arousal and dominance over the parts of a turn: one head for all targets, or one each.

Shape letters: B turns, K targets, H heads (1 shared, or K), Z input width of a head, N states (1, or one per
target), S their size.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from avemotion.formats.targets import OWN

HeadKind = Literal["shared", "separate", "branches", "weighted_concat"]


class BranchWeighting(nn.Module):
    """Two-way softmax weights of a target's own branch and of the other parts: Linear -> tanh -> Linear(2)."""

    def __init__(self, own: str, sizes: Mapping[str, int], dim: int):
        super().__init__()
        self.own = own if own in sizes else next(iter(sizes))
        self.rest = [name for name in sizes if name != self.own]
        self.project = nn.Identity() if sizes[self.own] == dim else nn.Linear(sizes[self.own], dim)
        self.merge = nn.Linear(sum(sizes[name] for name in self.rest), dim)
        self.score = nn.Sequential(nn.Linear(2 * dim, dim), nn.Tanh(), nn.Linear(dim, 2))

    def forward(self, parts: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """parts {name: [B, size]} -> [B, dim], weights [B, 2] of own branch and rest."""
        own, rest = self.project(parts[self.own]), self.merge(torch.cat([parts[name] for name in self.rest], -1))
        weights = self.score(torch.cat([own, rest], -1)).softmax(-1)
        return weights[:, :1] * own + weights[:, 1:] * rest, weights


class ScaledConcat(nn.Module):
    """Scales the parts of [z; state] by two softmax weights and keeps its width: w_own for a target's own part, w_rest
    for the other parts and the state. The weights come from the whole: Linear(Z -> 256) -> tanh -> Linear(2)."""

    column: Tensor

    def __init__(self, own: str, sizes: Mapping[str, int], state: int):
        super().__init__()
        own = own if own in sizes else next(iter(sizes))
        width = sum(sizes.values()) + state
        self.score = nn.Sequential(nn.Linear(width, 256), nn.Tanh(), nn.Linear(256, 2))
        columns = [torch.full((size,), 0 if name == own else 1) for name, size in sizes.items()]
        self.register_buffer("column", torch.cat([*columns, torch.ones(state).long()]), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, Z + S] -> [B, Z + S], weights [B, 2] of the own part and the rest."""
        weights = self.score(x).softmax(-1)
        return x * weights[:, self.column], weights


class Heads(nn.Module):
    """Z -> 256 -> 128 -> K for all targets, or Z -> 256 -> 128 -> 1 for each, over [z; state].

    Args:
        kind: shared | separate (both take all parts) | branches (separate, each after its own BranchWeighting; with a
            single part the same as separate) | weighted_concat (separate, each after its own ScaledConcat; with a
            single part and no state the same as separate).
        sizes: width of each part.
        targets: names of the K targets.
        dim: width after branch weighting.
        state: size S and number N of the states; (0, 0) without a state.
    """

    def __init__(
        self,
        kind: HeadKind,
        sizes: Mapping[str, int],
        *,
        targets: Sequence[str],
        dim: int,
        state: tuple[int, int],
        dropout: float,
    ):
        super().__init__()
        self.targets = list(targets)
        self.weighting: nn.ModuleDict | None = None
        self.scaling: nn.ModuleDict | None = None
        state_size, states = state
        width = sum(sizes.values())
        if kind == "branches" and len(sizes) > 1:
            self.weighting = nn.ModuleDict({target: BranchWeighting(OWN[target], sizes, dim) for target in targets})
            width = dim
        if kind == "weighted_concat" and (len(sizes) > 1 or state_size):
            self.scaling = nn.ModuleDict({target: ScaledConcat(OWN[target], sizes, state_size) for target in targets})
        if kind == "shared":
            self.mlps = nn.ModuleList([_mlp(width + states * state_size, len(self.targets), dropout)])
        else:
            self.mlps = nn.ModuleList([_mlp(width + state_size, 1, dropout) for _ in targets])

    def merge(self, parts: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """parts {name: [B, size]} -> inputs of the heads [B, H, Z], branch weights {target: [B, 2]}."""
        if self.weighting is None:
            joint = torch.cat(list(parts.values()), -1)
            return joint.unsqueeze(1).expand(-1, len(self.mlps), -1), {}
        merged = {target: weigh(parts) for target, weigh in self.weighting.items()}
        weights = {target: weights for target, (_, weights) in merged.items()}
        return torch.stack([z for z, _ in merged.values()], 1), weights

    def forward(self, z: Tensor, state: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """z [B, H, Z], state [B, N, S] -> standard scores [B, K], weights {target: [B, 2]} of ScaledConcat."""
        inputs: Sequence[Tensor]
        if state is None:
            inputs = z.unbind(1)
        elif len(self.mlps) == 1:
            inputs = [torch.cat([z[:, 0], state.flatten(1)], -1)]
        else:
            inputs = torch.cat([z, state.expand(-1, len(self.targets), -1)], -1).unbind(1)
        weights: dict[str, Tensor] = {}
        if self.scaling is not None:
            scaled = [scale(x) for scale, x in zip(self.scaling.values(), inputs, strict=True)]
            inputs = [x for x, _ in scaled]
            weights = {target: of for target, (_, of) in zip(self.scaling, scaled, strict=True)}
        return torch.cat([mlp(x) for mlp, x in zip(self.mlps, inputs, strict=True)], -1), weights

    def branch(self, target: str) -> list[nn.Parameter]:
        """The parameters of a target's own MLP and weighting; of none where the head is shared."""
        if len(self.mlps) == 1:
            return []
        parts = [self.mlps[self.targets.index(target)]]
        parts += [weighting[target] for weighting in (self.weighting, self.scaling) if weighting is not None]
        return [parameter for part in parts for parameter in part.parameters()]


def layer(inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    """Linear, LayerNorm, ReLU, Dropout."""
    return [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU(), nn.Dropout(dropout)]


def _mlp(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(*layer(inputs, 256, dropout), *layer(256, 128, dropout), nn.Linear(128, outputs))
