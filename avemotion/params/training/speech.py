"""Section `speech`: the speech encoder and the number of its trained layers."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpeechParams:
    """Section `speech`."""

    model: str  # tiny (untrained), a hub id such as microsoft/wavlm-base, or a folder with a downloaded model
    unfreeze_layers: int  # last transformer layers that training may change; the cache stores their input

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model is empty; give tiny, microsoft/wavlm-base or a folder")
        if self.unfreeze_layers < 0:
            raise ValueError(f"unfreeze_layers is {self.unfreeze_layers}; give 0 (none) or more")
