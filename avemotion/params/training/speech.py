"""Section `speech`: the speech encoder and the boundary of its cache."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpeechParams:
    """Section `speech`."""

    model: str  # tiny (untrained), or a hub id such as microsoft/wavlm-base or a folder of models.speech.families
    # Last transformer layers that training may change: the cache stores their input. How many of them a stage trains is
    # a param of that stage.
    unfreeze_layers: int

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model is empty; give tiny, microsoft/wavlm-base or a folder")
        if self.unfreeze_layers < 0:
            raise ValueError(f"unfreeze_layers is {self.unfreeze_layers}; give 0 (none) or more")

    def trained(self, layers: int | None, key: str) -> int:
        """The number of last layers that a stage trains.

        Args:
            layers: the value of its param; None = all above the boundary.
            key: file and name of that param.

        Raises:
            ValueError: more layers than there are above the boundary of the cache.
        """
        if layers is None:
            return self.unfreeze_layers
        if not 0 <= layers <= self.unfreeze_layers:
            raise ValueError(
                f"{key} is {layers}; give 0 to speech.unfreeze_layers ({self.unfreeze_layers}), because the cache "
                "stores the input of those layers, or null for all of them"
            )
        return layers
