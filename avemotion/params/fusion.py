"""Section `fusion` and the other params of the stage fusion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from avemotion.params.shared.common import probabilities
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.audio import AudioParams, unused_of_encoder
from avemotion.params.training.augment import AudioAugmentParams, FrameAugmentParams
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.params.training.speech import SpeechParams
from avemotion.params.xattn import XattnParams
from avemotion.system import params_file, plugins

PACKAGE = "avemotion.models.fusion.modes"
HEADS = ("concat", "gated")  # mode xattn_gated is xattn with head gated, whatever xattn.head is
VIDEO_BLOCKS = 5  # of ResNet-18: the stem and four levels


def modes() -> tuple[str, ...]:
    """Values of fusion.mode: one for each file in models/fusion/modes, and xattn with either head."""
    return (*plugins.names(PACKAGE), *(f"xattn_{head}" for head in HEADS))


@dataclass(frozen=True, kw_only=True)
class FusionParams(ClassifierParams):
    """Section `fusion`."""

    mode: str  # one of modes()
    head_epochs: int  # epochs of the heads alone, with frozen encoders
    epochs: int  # epochs of the heads and of the encoders' last layers
    audio_lr: float  # of wavlm's trained layers, or of a whole mel encoder
    video_lr: float  # of the trained ResNet blocks
    video_blocks: int  # number of last blocks that training changes
    video_views: int  # augmented copies of each training clip's frames; 0 = without augmentation
    dropout: float
    simple_gate: bool  # Linear -> sigmoid instead of a gate with a hidden layer
    gate_bias: float | None  # sigmoid(gate_bias) is the initial share of audio; null = a random start
    audio_dropout: float  # gated, xattn: probability that training drops a clip's audio
    video_dropout: float
    warm_start: list[Literal["audio", "video"]]  # encoders that start from pretrained weights
    audio_checkpoint: str  # folder of the stage pretrain_audio, or a .safetensors or .pt file
    video_checkpoint: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in modes():
            raise ValueError(f"mode is {self.mode!r}; choose one of {', '.join(modes())}")
        if len(set(self.warm_start)) < len(self.warm_start):
            raise ValueError(f"warm_start is {self.warm_start}; name each modality once")
        for name in ("audio_lr", "video_lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if not 0 <= self.video_blocks <= VIDEO_BLOCKS:
            raise ValueError(
                f"video_blocks is {self.video_blocks}; give 0 to {VIDEO_BLOCKS} ({VIDEO_BLOCKS} opens the stem too)"
            )
        if self.video_views < 0:
            raise ValueError(f"video_views is {self.video_views}; give 0 or more")
        probabilities(self, "dropout", "audio_dropout", "video_dropout")
        if min(self.head_epochs, self.epochs) < 0 or self.head_epochs + self.epochs == 0:
            raise ValueError(f"epochs is {self.epochs} and head_epochs {self.head_epochs}; their sum must be 1 or more")
        if self.audio_dropout + self.video_dropout > 1:
            raise ValueError(
                "audio_dropout and video_dropout add up to more than 1; a clip never loses both, so lower one"
            )

    @property
    def family(self) -> str:
        """The mode without the name of a head: the name of its file."""
        return self.mode.partition("_")[0] if self.mode.startswith("xattn_") else self.mode


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    xattn: XattnParams
    fusion: FusionParams
    audio_augment: AudioAugmentParams
    frame_augment: FrameAugmentParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        speech=params_file.read(file, "speech", SpeechParams),
        audio=params_file.read(file, "audio", AudioParams),
        xattn=params_file.read(file, "xattn", XattnParams),
        fusion=params_file.read(file, "fusion", FusionParams),
        audio_augment=params_file.read(file, "augment.audio", AudioAugmentParams),
        frame_augment=params_file.read(file, "augment.frames", FrameAugmentParams),
    )


# Field of a mode's Options -> the key that sets it.
OPTIONS = {
    "d_model": "xattn.d_model",
    "heads": "xattn.heads",
    "head": "xattn.head",
    "attention_dropout": "xattn.dropout",
    "stochastic_depth": "xattn.stochastic_depth",
    "dropout": "fusion.dropout",
    "audio_dropout": "fusion.audio_dropout",
    "video_dropout": "fusion.video_dropout",
    "gate_bias": "fusion.gate_bias",
    "simple_gate": "fusion.simple_gate",
}


def options(config: Config) -> dict[str, Any]:
    """Values of config for the Options of its fusion mode, by field."""
    taken = [name for name in plugins.options(PACKAGE, config.fusion.family) if name in OPTIONS]
    values: dict[str, Any] = {}
    for name in taken:
        section, _, key = OPTIONS[name].partition(".")
        values[name] = getattr(getattr(config, section), key)
    if "head" in values and config.fusion.mode != config.fusion.family:
        values["head"] = config.fusion.mode.removeprefix(f"{config.fusion.family}_")
    return values


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    p, taken = config.fusion, options(config)
    mode = f"fusion.mode is {p.mode}"
    reasons = {key: mode for name, key in OPTIONS.items() if name not in taken}
    if p.mode != p.family:
        reasons["xattn.head"] = mode
    if taken.get("head") == "concat":
        reasons |= dict.fromkeys(("fusion.gate_bias", "fusion.simple_gate"), "the head is concat, without a gate")
    elif taken.get("simple_gate"):
        reasons["fusion.dropout"] = "fusion.simple_gate is true: the gate has no hidden layer"
    for modality in ("audio", "video"):
        if modality not in p.warm_start:
            reasons[f"fusion.{modality}_checkpoint"] = f"fusion.warm_start leaves {modality} out"
        if not p.epochs:
            reasons[f"fusion.{modality}_lr"] = "fusion.epochs is 0: the encoders stay frozen"
    if not p.video_blocks:
        reasons["fusion.video_lr"] = "fusion.video_blocks is 0"
    if not p.video_views:
        reasons["augment.frames"] = "fusion.video_views is 0"
    reasons["augment.frames.draw"] = "fusion uses every frame"
    reasons |= unused_of_encoder(config.audio)
    if config.audio.encoder == "wavlm" and not config.speech.unfreeze_layers:
        reasons["fusion.audio_lr"] = "speech.unfreeze_layers is 0"
    if p.mode == "video":
        reasons |= dict.fromkeys(
            ("audio", "speech", "augment.audio", "fusion.audio_lr", "fusion.audio_checkpoint"), mode
        )
    if p.mode == "audio":
        keys = ("augment.frames", *(f"fusion.video_{key}" for key in ("lr", "blocks", "views", "checkpoint")))
        reasons |= dict.fromkeys(keys, mode)
    return reasons
