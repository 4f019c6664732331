"""Base of the interactions of speech and prosody; each has a file in models/va/interactions.

Shape letters: blocks.py; here B turns, T speech steps, D speech features, P prosody embedding, Z output width.
"""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from avemotion.system import plugins

INTERACTIONS = "avemotion.models.va.interactions"


class Interaction(nn.Module, ABC):
    """Maps a turn's speech sequence and prosody to one vector.

    A file of models/va/interactions has the class as INTERACTION and the dataclass Options. The fields of Options are
    some of dim, heads, dropout and pooling. The constant NEEDS = ("prosody",) names inputs that are required.
    """

    out_dim: int  # Z
    projects_prosody = True  # whether state and heads get prosody at width `dim`; otherwise they get its embedding

    @abstractmethod
    def forward(
        self, speech: Tensor, mask: Tensor, prosody: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """speech [B, T, D], mask [B, T], prosody [B, P] -> [B, Z], attention [B, T], pooling weights [B, T]."""


def kind(name: str) -> type[Interaction]:
    """The class of an interaction, by name."""
    return plugins.load(INTERACTIONS, name).INTERACTION


def build(name: str, speech_dim: int, prosody_dim: int | None, available: dict[str, Any]) -> Interaction:
    """An interaction with fresh weights.

    Args:
        prosody_dim: P; None = without prosody.
        available: values for the fields of its Options; others are ignored.
    """
    module = plugins.load(INTERACTIONS, name)
    taken = {option: available[option] for option in plugins.options(INTERACTIONS, name)}
    return module.INTERACTION(speech_dim, prosody_dim, module.Options(**taken))
