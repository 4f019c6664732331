"""Valence and arousal of the turns of a dialogue from speech, prosody, speaker and the fused embedding.

Shape letters: blocks.py; here B turns, T speech steps, D speech features, L further hidden layers, P prosody
functionals, S speaker dimensions, E fused embedding; G dialogues side by side, N turns of the longest.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages.lib.models.blocks import Standardize
from stages.lib.models.state import DialogueState, Memory
from stages.lib.models.va_heads import TARGETS, HeadKind, Heads, layer
from stages.lib.models.va_parts import INTERACTIONS
from stages.lib.models.va_sequence import FiLM, LayerWeighting, MultiScale, SpecMask
from stages.lib.models.wavlm import TopLayers, config_for

PROSODY = 64  # width of the prosody embedding


@dataclass(frozen=True, kw_only=True)
class VAOutput:
    """What the model says of B turns; None where its parts do not offer it."""

    prediction: Tensor  # [B, 2]: valence, arousal in the corpus's units
    branches: dict[str, Tensor]  # {target: [B, 2]}: weight of its own branch (V prosody, A speech) and of the rest
    attention: Tensor | None = None  # [B, T]: prosody's weights over speech steps (mean over heads)
    pooling: Tensor | None = None  # [B, T]: weights of attention pooling
    film: Tensor | None = None  # [B, 2]: norms of gamma and beta
    memory: Memory | None = None  # of G dialogues after their last turn


class VAModel(nn.Module):
    """One turn's parts -> interaction of speech and prosody -> state over the dialogue -> heads.

    Args:
        speech_dim, prosody_dim, speaker_dim, fused_dim: sizes of the inputs; None leaves an input out.
            At least one of speech, prosody and fused is needed; the speaker modulates speech.
        dim: width of every part but pooled speech. attention_heads, dropout: of attention, pooling and MLPs.
        layers: hidden layers in the learned weighting, the last one included; 0 = the last one alone.
        top: {"model", "layers"} of WavLM's last layers, run over the cached state that enters them, or None.
        scales: odd numbers of speech steps; each adds the moving mean over so many, [1] = the steps as they are.
        masked_time, masked_features: largest shares that SpecAugment hides in training.
        film: none | pooled (speech as one vector) | steps (every speech step).
        pooling: mean | attention | multihead | statistics: speech over time, where the interaction does not do it.
        interaction: concat | cross_attention | bidirectional.
        heads: shared | separate | branches.
        state: further arguments of DialogueState, or None: each turn by itself.
    """

    def __init__(
        self,
        *,
        speech_dim: int | None,
        prosody_dim: int | None,
        speaker_dim: int | None,
        fused_dim: int | None,
        dim: int,
        attention_heads: int,
        dropout: float,
        layers: int,
        top: dict[str, Any] | None,
        scales: list[int],
        masked_time: float,
        masked_features: float,
        film: str,
        pooling: str,
        interaction: str,
        heads: HeadKind,
        state: dict[str, Any] | None,
    ):
        super().__init__()
        self.standardize_prosody = Standardize(prosody_dim) if prosody_dim else None
        self.prosody = nn.Sequential(*layer(prosody_dim, PROSODY, dropout)) if prosody_dim else None
        self.top = TopLayers(config_for(top["model"]), top["layers"]) if top and speech_dim else None
        self.weighting = LayerWeighting(layers) if layers and speech_dim else None
        self.spec_mask, self.scales = SpecMask(masked_time, masked_features), MultiScale(scales)
        speech_dim = speech_dim and speech_dim * len(scales)
        self.interaction = self.film = self.project_prosody = self.project_fused = self.state = None
        self.film_steps = film == "steps"
        sizes: dict[str, int] = {}
        if speech_dim:
            size = PROSODY if prosody_dim else None
            self.interaction = INTERACTIONS[interaction](speech_dim, size, dim, attention_heads, dropout, pooling)
            sizes["speech"] = self.interaction.out_dim
            if speaker_dim and film != "none":
                self.film = FiLM(speaker_dim, speech_dim if self.film_steps else self.interaction.out_dim)
        if prosody_dim:
            sizes["prosody"] = PROSODY if interaction == "concat" else dim
            if interaction != "concat":
                self.project_prosody = nn.Linear(PROSODY, dim)
        if fused_dim:
            sizes["fused"] = dim
            self.project_fused = nn.Sequential(nn.LayerNorm(fused_dim), nn.Linear(fused_dim, dim))
        assert sizes, "a VA model needs speech, prosody or fused"
        if state is not None:
            self.state = DialogueState(sum(sizes.values()), **state)
        size, states = (self.state.size, self.state.states) if self.state else (0, 0)
        self.heads = Heads(heads, sizes, dim, size, states, dropout)
        self.units = Standardize(len(TARGETS))  # the heads predict standard scores of the training fold

    def forward(
        self,
        *,
        turns: Tensor | None = None,
        memory: Memory | None = None,
        teacher: Tensor | None = None,
        teacher_share: float = 0.0,
        **inputs: Tensor,
    ) -> VAOutput:
        """B turns of G dialogues.

        Args:
            inputs: arguments of `parts`.
            turns: [G, N], True where a dialogue has a turn; the B turns fill it row by row. Without a state
                the dialogues do not matter and it may be left out.
            memory: of the G dialogues so far; None starts them.
            teacher: [B, 2] true values, NaN where unknown. teacher_share: probability that the truth and not
                the prediction is fed back to the next turn.
        """
        parts, seen = self.parts(**inputs)
        z, branches = self.heads.merge(parts)
        if self.state is None:
            scores, memory = self.heads(z, None), None
        else:
            joint = torch.cat(list(parts.values()), -1)
            known = None if teacher is None else (teacher.to(joint.device) - self.units.mean) / self.units.std
            scores, memory = self._over_turns(joint, z, turns, memory, known, teacher_share)
        return VAOutput(prediction=self.units.invert(scores), branches=branches, memory=memory, **seen)

    def parts(
        self,
        *,
        speech: Tensor | None = None,
        speech_mask: Tensor | None = None,
        layers: Tensor | None = None,
        prosody: Tensor | None = None,
        speaker: Tensor | None = None,
        fused: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor | None]]:
        """speech [B, T, D], speech_mask [B, T], layers [B, T, L, D], prosody [B, P], speaker [B, S], fused [B, E]
        -> the parts {name: [B, size]} that state and heads take, and VAOutput's attention, pooling and film."""
        parts, embedded = {}, None
        seen: dict[str, Tensor | None] = {"attention": None, "pooling": None, "film": None}
        if self.prosody is not None:
            # Some functionals (normalised deviations) have outliers of 15 deviations that would drown the rest.
            embedded = self.prosody(self.standardize_prosody(prosody).clamp(-5.0, 5.0))
        if self.interaction is not None:
            if self.top is not None:
                speech = self.top(speech, speech_mask)
            if self.weighting is not None:
                speech = self.weighting(torch.cat([layers, speech.unsqueeze(2)], 2))
            speech = self.scales(self.spec_mask(speech, speech_mask), speech_mask)
            if self.film is not None and self.film_steps:
                speech, seen["film"] = self.film(speech, speaker)
            pooled, seen["attention"], seen["pooling"] = self.interaction(speech, speech_mask, embedded)
            if self.film is not None and not self.film_steps:
                pooled, seen["film"] = self.film(pooled, speaker)
            parts["speech"] = pooled
        if self.prosody is not None:
            parts["prosody"] = embedded if self.project_prosody is None else self.project_prosody(embedded)
        if self.project_fused is not None:
            parts["fused"] = self.project_fused(fused)
        return parts, seen

    def _over_turns(
        self,
        joint: Tensor,
        z: Tensor,
        turns: Tensor,
        memory: Memory | None,
        teacher: Tensor | None,
        share: float,
    ) -> tuple[Tensor, Memory]:
        """joint [B, I], z [B, H, Z] -> scores [B, 2] and the memory, turn after turn (N steps; all else is batched)."""
        if memory is None:
            memory = self.state.start(len(turns), self.units.mean)
        joint, z = _grid(joint, turns), _grid(z, turns)
        truth = None if teacher is None else _grid(teacher.float(), turns)
        scores = []
        for i in range(turns.shape[1]):
            memory = self.state(joint[:, i], memory)
            score = self.heads(z[:, i], memory.state).float()
            scores.append(score)
            previous = score.detach()  # what is fed back is data: gradients run through the state alone
            if truth is not None and share > 0:
                told = torch.rand(len(turns), 1, device=score.device) < share
                previous = torch.where(told & ~truth[:, i].isnan(), truth[:, i], previous)
            memory = Memory(state=memory.state, previous=previous, carried=memory.carried)
        return torch.stack(scores, 1)[turns], memory


def _grid(rows: Tensor, turns: Tensor) -> Tensor:
    """rows [B, ...] -> [G, N, ...], row by row where turns is True, 0 elsewhere."""
    grid = rows.new_zeros(*turns.shape, *rows.shape[1:])
    grid[turns] = rows
    return grid
