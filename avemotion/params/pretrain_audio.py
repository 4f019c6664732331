"""Section `pretrain_audio` and the other params of the stage pretrain_audio."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.params.shared.common import frozen_or_positive
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.audio import AudioParams, stored_layers, unused_of_encoder, unused_of_lora
from avemotion.params.training.augment import AudioAugmentParams
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.params.training.speech import SpeechParams
from avemotion.params.training.speech import read as read_speech
from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class PretrainAudioParams(ClassifierParams):
    """Section `pretrain_audio`."""

    checkpoint: str  # folder of a trained audio model, or a .safetensors or .pt file; data/none = none
    head_epochs: int  # epochs of the classifier alone; mel encoders skip this phase
    epochs: int  # epochs of the classifier and of the trained layers
    encoder_lr: float | None  # of wavlm's trained layers; 0 or null freezes them
    unfreeze_wavlm_layers: int | None  # last layers that are trained; null = all that the cache allows

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_epochs < 0:
            raise ValueError(f"head_epochs is {self.head_epochs}; give 0 or more")
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        frozen_or_positive(self, "encoder_lr")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    pretrain: PretrainAudioParams
    augment: AudioAugmentParams
    layers: list[int]  # in the wavlm cache, besides the last
    wavlm_layers: int  # last layers that are trained; 0 with a mel encoder


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    audio = params_file.read(file, "audio", AudioParams)
    speech = read_speech(file)
    p = params_file.read(file, "pretrain_audio", PretrainAudioParams)
    audio.check_normalise(file, speech.unfreeze_layers)
    stored, layers = stored_layers(file, "audio.layers", audio.layers), 0
    if audio.encoder == "wavlm":
        layers = speech.trained(p.unfreeze_wavlm_layers, f"{file}: pretrain_audio.unfreeze_wavlm_layers")
    return Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        speech=speech,
        audio=audio,
        pretrain=p,
        augment=params_file.read(file, "augment.audio", AudioAugmentParams),
        layers=stored,
        wavlm_layers=layers if p.encoder_lr else 0,
    )


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    p = config.pretrain
    reasons = unused_of_lora(config.audio, config.wavlm_layers) | unused_of_encoder(config.audio)
    reasons |= p.unused("pretrain_audio")
    of_layers = {f"pretrain_audio.{key}" for key in ("head_epochs", "encoder_lr", "unfreeze_wavlm_layers")}
    if config.audio.encoder != "wavlm":
        reasons |= dict.fromkeys(sorted(of_layers), f"audio.encoder is {config.audio.encoder}")
    elif not config.wavlm_layers:
        frozen_by, reason = "unfreeze_wavlm_layers", f"pretrain_audio.encoder_lr is {p.encoder_lr}: no layer is trained"
        if p.encoder_lr:
            frozen_by, reason = "encoder_lr", "no layer of WavLM is trained"
        reasons |= dict.fromkeys(("pretrain_audio.head_epochs", f"pretrain_audio.{frozen_by}"), reason)
    return reasons
