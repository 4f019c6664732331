"""Valence and arousal of a turn from speech, prosody, speaker and the fused audio-visual embedding.

Shape letters: blocks.py; here B turns, T speech steps, P prosody functionals, S speaker dimensions,
E fused embedding, Z the width every part is brought to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.lib.models.blocks import CrossAttention, Standardize

TARGETS = ("valence", "arousal")


@dataclass(frozen=True, kw_only=True)
class VAOutput:
    """prediction [B, 2]: valence, arousal in the corpus's units; attention [B, T]: the turn's weights over speech
    steps (mean over heads); branches {"valence": [B, 2], "arousal": [B, 2]}: weight of a target's own branch
    (prosody for valence, speech for arousal) and of the rest."""

    prediction: Tensor
    attention: Tensor | None
    branches: dict[str, Tensor]


class FiLM(nn.Module):
    """Feature-wise modulation by the speaker (Perez et al. 2018): gamma * x + beta, gamma = 1 + tanh(.)."""

    def __init__(self, speaker_dim: int, dim: int, hidden: int = 256):
        super().__init__()
        last = nn.Linear(hidden, 2 * dim)
        # Zero start: the modulation begins as the identity and speakers diverge only as the data ask for it.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(nn.Linear(speaker_dim, hidden), nn.ReLU(), last)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """x [B, T, D], speaker [B, S] -> [B, T, D], every step at once."""
        gamma, beta = self.network(speaker).unsqueeze(1).chunk(2, -1)
        return (1 + gamma.tanh()) * x + beta


class ProsodyAttention(nn.Module):
    """Prosody (or, without it, a learned query) attends to the speech sequence; [B, T, D] -> [B, Z]."""

    def __init__(self, speech_dim: int, prosody_dim: int | None, dim: int, heads: int, dropout: float):
        super().__init__()
        self.keys = nn.Linear(speech_dim, dim)
        self.query = None if prosody_dim is None else nn.Linear(prosody_dim, dim)
        self.learned_query = nn.Parameter(torch.zeros(dim)) if prosody_dim is None else None
        self.attend = CrossAttention(dim, heads, dropout)
        self.out = nn.Linear(dim, dim)

    def forward(self, speech: Tensor, mask: Tensor, prosody: Tensor | None) -> tuple[Tensor, Tensor]:
        """speech [B, T, D], mask [B, T], prosody [B, 64] -> [B, Z], weights [B, T] (mean over heads)."""
        query = self.learned_query.expand(len(speech), -1) if self.query is None else self.query(prosody)
        attended, weights = self.attend(query.unsqueeze(1), self.keys(speech), mask)
        return self.out(attended.squeeze(1)), weights.mean(1).squeeze(1)


class BranchWeighting(nn.Module):
    """Two-way softmax between one target's own branch and the rest: Linear -> tanh -> Linear(2)."""

    def __init__(self, dim: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(2 * dim, dim), nn.Tanh(), nn.Linear(dim, 2))

    def forward(self, own: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """own [B, Z], rest [B, Z] -> [B, Z], weights [B, 2] of (own, rest)."""
        weights = self.score(torch.cat([own, rest], -1)).softmax(-1)
        return weights[:, :1] * own + weights[:, 1:] * rest, weights


class TargetHead(nn.Module):
    """One target (valence or arousal): weighs its own branch against the rest, then Z -> 256 -> 128 -> 1."""

    def __init__(self, own: str, parts: Sequence[str], dim: int, dropout: float):
        super().__init__()
        self.own = own if own in parts else parts[0]
        self.rest = [part for part in parts if part != self.own]
        self.merge = nn.Linear(len(self.rest) * dim, dim) if self.rest else None
        self.weighting = BranchWeighting(dim) if self.rest else None
        self.mlp = nn.Sequential(*_layer(dim, 256, dropout), *_layer(256, 128, dropout), nn.Linear(128, 1))

    def forward(self, parts: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """parts {name: [B, Z]} -> [B], weights [B, 2] (None when there is a single part)."""
        z, weights = parts[self.own], None
        if self.weighting is not None:
            z, weights = self.weighting(z, self.merge(torch.cat([parts[name] for name in self.rest], -1)))
        return self.mlp(z).squeeze(-1), weights


class VAModel(nn.Module):
    """FiLM by speaker on every speech step, prosody -> speech cross-attention, separate V and A heads.

    Args:
        speech_dim, prosody_dim, speaker_dim, fused_dim: sizes of the inputs; None leaves an input out.
            At least one of speech, prosody and fused is needed; the speaker modulates speech.
        dim: width Z of every part. heads, dropout: of the attention and the MLPs.
    """

    def __init__(
        self,
        *,
        speech_dim: int | None,
        prosody_dim: int | None,
        speaker_dim: int | None,
        fused_dim: int | None,
        dim: int,
        heads: int,
        dropout: float,
    ):
        super().__init__()
        self.standardize_prosody = Standardize(prosody_dim) if prosody_dim else None
        self.prosody = nn.Sequential(*_layer(prosody_dim, 64, dropout)) if prosody_dim else None
        self.film = FiLM(speaker_dim, speech_dim) if speaker_dim and speech_dim else None
        self.attention = None
        if speech_dim:
            self.attention = ProsodyAttention(speech_dim, 64 if prosody_dim else None, dim, heads, dropout)
        self.project_prosody = nn.Linear(64, dim) if prosody_dim else None
        self.project_fused = nn.Sequential(nn.LayerNorm(fused_dim), nn.Linear(fused_dim, dim)) if fused_dim else None
        present = {"speech": speech_dim, "prosody": prosody_dim, "fused": fused_dim}
        parts = [name for name, size in present.items() if size]
        assert parts, "a VA model needs speech, prosody or fused"
        self.heads = nn.ModuleDict(
            {
                "valence": TargetHead("prosody", parts, dim, dropout),
                "arousal": TargetHead("speech", parts, dim, dropout),
            }
        )
        self.units = Standardize(len(TARGETS))  # the heads predict standard scores of the training fold

    def forward(
        self,
        *,
        speech: Tensor | None = None,
        speech_mask: Tensor | None = None,
        prosody: Tensor | None = None,
        speaker: Tensor | None = None,
        fused: Tensor | None = None,
    ) -> VAOutput:
        """speech [B, T, D], speech_mask [B, T], prosody [B, P], speaker [B, S], fused [B, E] -> VAOutput."""
        parts, attention, embedded = {}, None, None
        if self.prosody is not None:
            # Some functionals (normalised deviations) have outliers of 15 deviations that would drown the rest.
            embedded = self.prosody(self.standardize_prosody(prosody).clamp(-5.0, 5.0))
            parts["prosody"] = self.project_prosody(embedded)
        if self.attention is not None:
            modulated = speech if self.film is None else self.film(speech, speaker)
            parts["speech"], attention = self.attention(modulated, speech_mask, embedded)
        if self.project_fused is not None:
            parts["fused"] = self.project_fused(fused)
        outputs = {target: head(parts) for target, head in self.heads.items()}
        scores = torch.stack([outputs[target][0] for target in TARGETS], -1)
        branches = {target: weights for target, (_, weights) in outputs.items() if weights is not None}
        return VAOutput(prediction=self.units.invert(scores), attention=attention, branches=branches)


def _layer(inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU(), nn.Dropout(dropout)]
