"""Section `audio`: the audio encoder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.system import params_file

Encoder = Literal["wavlm", "cnn", "plain18", "resnet18", "resnet_asp"]
Layers = Literal["last", "learned"]  # of a speech encoder: the last hidden layer, or softmax weights over several
ANY_LENGTH = ("wavlm", "resnet_asp")  # encoders with masks; the others take log-mels of one length


def feature_kind(encoder: str) -> str:
    """The kind of feature that an audio encoder takes."""
    return "wavlm" if encoder == "wavlm" else "mel"


@dataclass(frozen=True, kw_only=True)
class LoraParams:
    """Section `audio.lora`: low-rank adapters in place of the weights of trained speech layers (Hu et al. 2022)."""

    rank: int  # 0 = none: the layers themselves are trained
    alpha: int  # the adapters' output is multiplied by alpha / rank
    dropout: float  # of the adapters' input

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise ValueError(f"rank is {self.rank}; give 0 (no LoRA) or more")
        if self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}; give 1 or more")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give 0 to less than 1")


@dataclass(frozen=True, kw_only=True)
class AudioParams:
    """Section `audio`: the audio encoder."""

    encoder: Encoder
    dim: int  # embedding of the mel encoders
    # Whose statistics standardise the input: those of the training clips, or of each speaker's own clips. Mel encoders
    # use those of the training clips in any case.
    normalise: Literal["none", "corpus", "speaker"]
    layers: Layers  # of wavlm
    lora: LoraParams  # of the trained layers of wavlm

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}; give 1 or more")
        if self.encoder == "resnet_asp" and self.dim % 2:
            raise ValueError(f"dim is {self.dim}; resnet_asp joins a mean and a deviation, so give an even number")

    @property
    def by_speaker(self) -> list[str]:
        """The kinds of features that each speaker's own clips standardise."""
        return [feature_kind(self.encoder)] if self.normalise == "speaker" else []

    def check_normalise(self, file: Path, unfreeze_layers: int) -> None:
        """Raises ValueError if the input cannot be standardised; unfreeze_layers: of the section speech."""
        if self.encoder == "wavlm" and self.normalise != "none" and unfreeze_layers:
            raise ValueError(
                f"{file}: audio.normalise is {self.normalise}, but speech.unfreeze_layers is {unfreeze_layers}: the "
                "input of trained WavLM layers cannot be standardised; give none, or unfreeze_layers 0"
            )


def stored_layers(file: Path, key: str, choice: Layers) -> list[int]:
    """features.wavlm.layers: the layers in the wavlm cache besides the last.

    Args:
        key: param whose value is choice.

    Raises:
        ValueError: choice is learned, but there are none.
    """
    layers = params_file.read(file, "features.wavlm.layers", list[int])
    if choice == "learned" and not layers:
        raise ValueError(f"{file}: {key} is learned, but features.wavlm.layers is empty; list layers to weigh there")
    return layers


def length_fault(encoder: str, seconds: float | None) -> str | None:
    """What is wrong with features.mel.seconds for an encoder; None = nothing."""
    if seconds is not None or encoder in ANY_LENGTH:
        return None
    remedy = "give the seconds, or use resnet_asp"
    return f"features.mel.seconds is null, but audio.encoder {encoder} takes recordings of one length; {remedy}"


def unused_of_encoder(audio: AudioParams) -> dict[str, str]:
    """Params that only the other kind of audio encoder uses: key -> reason."""
    reason = f"audio.encoder is {audio.encoder}"
    of_length = dict.fromkeys(("augment.audio.warp", "augment.audio.crop"), reason)
    if feature_kind(audio.encoder) == "wavlm":
        return dict.fromkeys(("audio.dim", "augment.audio.spec_augment"), reason) | of_length
    return dict.fromkeys(("speech", "audio.layers", "audio.lora"), reason) | (
        {} if audio.encoder in ANY_LENGTH else of_length
    )


def unused_of_lora(audio: AudioParams, trained: int) -> dict[str, str]:
    """Params of LoRA without effect in a stage that trains so many layers of wavlm: key -> reason."""
    if not trained:
        return {"audio.lora": "no layer of WavLM is trained"}
    if not audio.lora.rank:
        return dict.fromkeys(("audio.lora.alpha", "audio.lora.dropout"), "audio.lora.rank is 0")
    return {}
