"""Section `pretrain_audio` and the other params of the stage pretrain_audio."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.audio import AudioParams, unused_of_encoder
from avemotion.params.training.augment import AudioAugmentParams
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.params.training.speech import SpeechParams
from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class PretrainAudioParams(ClassifierParams):
    """Section `pretrain_audio`."""

    head_epochs: int  # epochs of the classifier alone; mel encoders skip this phase
    epochs: int  # epochs of the classifier and of the trained layers
    encoder_lr: float  # of wavlm's trained layers

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_epochs < 0:
            raise ValueError(f"head_epochs is {self.head_epochs}; give 0 or more")
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if self.encoder_lr <= 0:
            raise ValueError(f"encoder_lr is {self.encoder_lr}; give a number above 0")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    pretrain: PretrainAudioParams
    augment: AudioAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        speech=params_file.read(file, "speech", SpeechParams),
        audio=params_file.read(file, "audio", AudioParams),
        pretrain=params_file.read(file, "pretrain_audio", PretrainAudioParams),
        augment=params_file.read(file, "augment.audio", AudioAugmentParams),
    )


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    reasons = unused_of_encoder(config.audio)
    if config.audio.encoder != "wavlm" or not config.speech.unfreeze_layers:
        reason = f"audio.encoder is {config.audio.encoder}"
        reason += "" if config.audio.encoder != "wavlm" else " and speech.unfreeze_layers 0"
        reasons |= dict.fromkeys(("pretrain_audio.head_epochs", "pretrain_audio.encoder_lr"), reason)
    return reasons
