"""Valence, arousal and dominance of the turns of a dialogue from speech, prosody, speaker and the fused embedding.

Shape letters: blocks.py; here B turns, T speech steps, D speech features, L further hidden layers, P prosody
functionals, S speaker dimensions, E fused embedding; K targets; G dialogues side by side, N turns of the
longest.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import Standardize
from avemotion.models.speech.layer_weighting import LayerWeighting
from avemotion.models.speech.pretrained import config_for
from avemotion.models.speech.top_layers import TopLayers
from avemotion.models.va import interaction
from avemotion.models.va.dialogue_state import DialogueState, Memory
from avemotion.models.va.heads import HeadKind, Heads, layer
from avemotion.models.va.interaction import Interaction
from avemotion.models.va.sequence import FiLM, MultiScale, SpecMask

PROSODY = 64  # width of the prosody embedding


@dataclass(frozen=True, kw_only=True)
class VAOutput:
    """Output of the model for B turns; None where the model has no such part."""

    prediction: Tensor  # [B, K]: the targets in the corpus's units
    branches: dict[str, Tensor]  # {target: [B, 2]}: weights of its own branch (targets.OWN) and of the rest
    attention: Tensor | None = None  # [B, T]: attention weights of prosody over speech steps, mean over heads
    pooling: Tensor | None = None  # [B, T]: weights of attention pooling
    film: Tensor | None = None  # [B, 2]: norms of gamma and beta
    memory: Memory | None = None  # of G dialogues after their last turn


@dataclass(frozen=True, kw_only=True)
class VAArchitecture:
    """Arguments of VAModel; its checkpoint stores these fields."""

    targets: list[str]  # columns of labels.csv
    speech_dim: int | None  # sizes of the inputs, None = without; at least one of speech, prosody and fused
    prosody_dim: int | None
    speaker_dim: int | None  # modulates speech
    fused_dim: int | None
    dim: int  # width of every part except pooled speech
    attention_heads: int
    dropout: float  # of attention, pooling and MLPs
    layers: int  # hidden layers in the learned weighting, including the last; 0 = the last one alone
    top: dict[str, Any] | None  # {"model", "layers"} of WavLM's last layers; speech is then their input
    scales: list[int]  # windows of moving means, odd numbers of speech steps; [1] = the steps alone
    masked_time: float  # largest shares that SpecAugment masks in training
    masked_features: float
    film: Literal["none", "pooled", "steps"]  # speaker modulation of pooled speech or of every step
    pooling: str  # a key of POOLINGS, for interactions that use one
    interaction: str  # name of a file in models/va/interactions
    head_inputs: Literal["all", "interaction"]  # of state and heads: every part, or the interaction's output alone
    heads: HeadKind
    state: dict[str, Any] | None  # further arguments of DialogueState; None = independent turns


@dataclass(frozen=True, kw_only=True)
class TeacherForcing:
    """Feedback of true values in training."""

    truth: Tensor | None  # [B, K] standard scores, NaN where unlabelled; None = feedback of predictions alone
    share: float  # probability of the true value


class VAModel(nn.Module):
    """Interaction of speech and prosody -> parts of a turn -> state over the dialogue -> heads."""

    def __init__(self, architecture: VAArchitecture):
        super().__init__()
        a = architecture
        self.targets = list(a.targets)
        self.standardize_prosody = Standardize(a.prosody_dim) if a.prosody_dim else None
        self.prosody = nn.Sequential(*layer(a.prosody_dim, PROSODY, a.dropout)) if a.prosody_dim else None
        self.top = TopLayers(config_for(a.top["model"]), a.top["layers"]) if a.top and a.speech_dim else None
        self.weighting = LayerWeighting(a.layers) if a.layers and a.speech_dim else None
        self.spec_mask, self.scales = SpecMask(a.masked_time, a.masked_features), MultiScale(a.scales)
        self.interaction: Interaction | None = None
        self.film: FiLM | None = None
        self.project_prosody: nn.Module | None = None
        self.project_fused: nn.Module | None = None
        self.state: DialogueState | None = None
        self.film_steps, self.alone = a.film == "steps", a.head_inputs == "interaction"
        assert not self.alone or (a.speech_dim and not a.fused_dim), "the interaction alone needs speech and no fused"
        sizes: dict[str, int] = {}
        if a.speech_dim:
            speech_dim = a.speech_dim * len(a.scales)
            options = {"dim": a.dim, "heads": a.attention_heads, "dropout": a.dropout, "pooling": a.pooling}
            self.interaction = interaction.build(a.interaction, speech_dim, PROSODY if a.prosody_dim else None, options)
            sizes["speech"] = self.interaction.out_dim
            if a.speaker_dim and a.film != "none":
                self.film = FiLM(a.speaker_dim, speech_dim if self.film_steps else self.interaction.out_dim)
        if a.prosody_dim and not self.alone:
            sizes["prosody"] = PROSODY
            if self.interaction is not None and self.interaction.projects_prosody:
                sizes["prosody"], self.project_prosody = a.dim, nn.Linear(PROSODY, a.dim)
        if a.fused_dim:
            sizes["fused"] = a.dim
            self.project_fused = nn.Sequential(nn.LayerNorm(a.fused_dim), nn.Linear(a.fused_dim, a.dim))
        assert sizes, "a VA model needs speech, prosody or fused"
        if a.state is not None:
            self.state = DialogueState(sum(sizes.values()), len(self.targets), **a.state)
        state = (self.state.size, self.state.states) if self.state else (0, 0)
        self.heads = Heads(a.heads, sizes, targets=a.targets, dim=a.dim, state=state, dropout=a.dropout)
        self.units = Standardize(len(self.targets))  # the heads predict standard scores of the training fold

    def forward(
        self,
        *,
        turns: Tensor | None = None,
        memory: Memory | None = None,
        teacher: Tensor | None = None,
        teacher_share: float = 0.0,
        **inputs: Tensor,
    ) -> VAOutput:
        """Predict B turns of G dialogues.

        Args:
            inputs: arguments of `parts`.
            turns: [G, N], True where a dialogue has a turn; the B turns fill it row by row. A model without a state
                ignores it.
            memory: of the G dialogues after their earlier turns; None at their start.
            teacher: [B, K] true values, NaN where unlabelled.
            teacher_share: probability that the next turn gets the true value instead of the prediction.
        """
        parts, extras = self.parts(**inputs)
        z, branches = self.heads.merge(parts)
        if self.state is None:
            (scores, scales), memory = self.heads(z, None), None
        else:
            assert turns is not None, "a model with a state needs the layout of turns"
            joint = torch.cat(list(parts.values()), -1)
            truth = None if teacher is None else (teacher.to(joint.device) - self.units.mean) / self.units.std
            forcing = TeacherForcing(truth=truth, share=teacher_share)
            scores, scales, memory = self._over_turns(joint, z, turns, memory, forcing)
        return VAOutput(prediction=self.units.invert(scores), branches=branches | scales, memory=memory, **extras)

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
        -> parts {name: [B, size]}, the inputs of state and heads; attention, pooling and film of VAOutput."""
        parts: dict[str, Tensor] = {}
        embedded: Tensor | None = None
        extras: dict[str, Tensor | None] = {"attention": None, "pooling": None, "film": None}
        if self.prosody is not None:
            assert self.standardize_prosody is not None
            # Some functionals (normalised deviations) have outliers of 15 standard deviations.
            embedded = self.prosody(self.standardize_prosody(prosody).clamp(-5.0, 5.0))
        if self.interaction is not None:
            assert speech is not None and speech_mask is not None
            steps: Tensor = speech if self.top is None else self.top(speech, speech_mask)
            if self.weighting is not None:
                assert layers is not None
                steps = self.weighting(torch.cat([layers, steps.unsqueeze(2)], 2))
            steps = self.scales(self.spec_mask(steps, speech_mask), speech_mask)
            if self.film is not None and self.film_steps:
                steps, extras["film"] = self.film(steps, speaker)
            pooled, extras["attention"], extras["pooling"] = self.interaction(steps, speech_mask, embedded)
            if self.film is not None and not self.film_steps:
                pooled, extras["film"] = self.film(pooled, speaker)
            parts["speech"] = pooled
        if embedded is not None and not self.alone:
            parts["prosody"] = embedded if self.project_prosody is None else self.project_prosody(embedded)
        if self.project_fused is not None:
            parts["fused"] = self.project_fused(fused)
        return parts, extras

    def _over_turns(
        self,
        joint: Tensor,
        z: Tensor,
        turns: Tensor,
        memory: Memory | None,
        forcing: TeacherForcing,
    ) -> tuple[Tensor, dict[str, Tensor], Memory]:
        """joint [B, I], z [B, H, Z] -> scores [B, K], weights of the heads {target: [B, 2]} and the memory, in N
        sequential steps over the turns."""
        assert self.state is not None
        if memory is None:
            memory = self.state.start(len(turns), self.units.mean)
        joint, z = _grid(joint, turns), _grid(z, turns)
        truth = None if forcing.truth is None else _grid(forcing.truth.float(), turns)
        scores: list[Tensor] = []
        scales: list[dict[str, Tensor]] = []
        for i in range(turns.shape[1]):
            memory = self.state(joint[:, i], memory)
            score, scale = self.heads(z[:, i], memory.state)
            score = score.float()
            scores.append(score)
            scales.append(scale)
            previous = score.detach()  # feedback is data: gradients pass through the state alone
            if truth is not None and forcing.share > 0:
                forced = torch.rand(len(turns), 1, device=score.device) < forcing.share
                previous = torch.where(forced & ~truth[:, i].isnan(), truth[:, i], previous)
            memory = Memory(state=memory.state, previous=previous, carried=memory.carried)
        weights = {target: torch.stack([scale[target] for scale in scales], 1)[turns] for target in scales[0]}
        return torch.stack(scores, 1)[turns], weights, memory


def build_va(**arguments: Any) -> VAModel:
    """A VA model with fresh weights from the fields of VAArchitecture."""
    return VAModel(VAArchitecture(**arguments))


def _grid(rows: Tensor, turns: Tensor) -> Tensor:
    """rows [B, ...] -> [G, N, ...], row by row where turns is True, 0 elsewhere."""
    grid = rows.new_zeros(*turns.shape, *rows.shape[1:])
    grid[turns] = rows
    return grid
