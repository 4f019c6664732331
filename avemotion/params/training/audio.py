"""Section `audio`: the audio encoder."""

from dataclasses import dataclass
from typing import Literal

Encoder = Literal["wavlm", "cnn", "plain18", "resnet18"]


def feature_kind(encoder: str) -> str:
    """The kind of feature that an audio encoder takes."""
    return "wavlm" if encoder == "wavlm" else "mel"


@dataclass(frozen=True, kw_only=True)
class AudioParams:
    """Section `audio`: the audio encoder."""

    encoder: Encoder
    dim: int  # embedding of the mel encoders

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}; give 1 or more")


def unused_of_encoder(audio: AudioParams) -> dict[str, str]:
    """Params that only the other kind of audio encoder uses: key -> reason."""
    reason = f"audio.encoder is {audio.encoder}"
    if feature_kind(audio.encoder) == "wavlm":
        return dict.fromkeys(("audio.dim", "augment.audio.spec_augment"), reason)
    return {"speech": reason}
