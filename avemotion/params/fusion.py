"""Section `fusion` and the other params of the stage fusion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from avemotion.params.backbone import VisionParams
from avemotion.params.shared.common import frozen_or_positive, probabilities
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.audio import AudioParams, stored_layers, unused_of_encoder, unused_of_lora
from avemotion.params.training.augment import AudioAugmentParams, FrameAugmentParams
from avemotion.params.training.optimizer import ClassifierParams
from avemotion.params.training.speech import SpeechParams
from avemotion.params.training.speech import read as read_speech
from avemotion.params.video import BLOCKS, VideoParams, unused_of_video
from avemotion.params.video import read as read_video
from avemotion.params.xattn import XattnParams
from avemotion.system import params_file, plugins

PACKAGE = "avemotion.models.fusion.modes"
HEADS = ("concat", "gated")  # mode xattn_gated is xattn with head gated, whatever xattn.head is
PROSODY = "prosody"  # an input, and the name in the Options of the modes that take it


def modes() -> tuple[str, ...]:
    """Values of fusion.mode: one for each file in models/fusion/modes, and xattn with either head."""
    return (*plugins.names(PACKAGE), *(f"xattn_{head}" for head in HEADS))


@dataclass(frozen=True, kw_only=True)
class FusionParams(ClassifierParams):
    """Section `fusion`."""

    mode: str  # one of modes()
    inputs: list[Literal["audio", "video", "prosody"]]  # audio and video, or prosody too
    normalise: Literal["corpus", "speaker"]  # statistics of prosody: of the training clips, or of each speaker's clips
    head_epochs: int  # epochs of the heads alone, with frozen encoders
    epochs: int  # epochs of the heads and of the encoders' last layers
    audio_lr: float | None  # of wavlm's trained layers, or of a whole mel encoder; 0 or null freezes them
    video_lr: float | None  # of the trained blocks of the video encoder; 0 or null freezes them
    unfreeze_wavlm_layers: int | None  # last layers that are trained; null = all that the cache allows
    unfreeze_audio: bool  # whether a mel encoder is trained
    video_blocks: int  # number of last blocks that training changes
    video_views: int  # augmented copies of each training clip's frames; 0 = without augmentation
    dropout: float
    simple_gate: bool  # Linear -> sigmoid instead of a gate with a hidden layer
    gate_bias: float | None  # sigmoid(gate_bias) is the initial share of audio; null = a random start
    audio_dropout: float  # gated, xattn: probability that training drops a clip's audio
    video_dropout: float
    late_smoothing: float  # label smoothing of mode late
    late_rule: Literal["mean", "product"]  # of both softmaxes, in mode late and under residual
    residual: bool  # concat, gated, xattn: learn a correction, 0 at the start, of the late fusion
    unimodal_loss: float  # concat, gated, xattn: weight of the loss of each unimodal classifier; 0 = none
    warm_start: list[Literal["audio", "video"]]  # encoders that start from pretrained weights
    audio_checkpoint: str  # folder of the stage pretrain_audio, or a .safetensors or .pt file
    video_checkpoint: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in modes():
            raise ValueError(f"mode is {self.mode!r}; choose one of {', '.join(modes())}")
        if self.inputs not in (["audio", "video"], ["audio", "video", "prosody"]):
            raise ValueError(f"inputs is {self.inputs}; give [audio, video] or [audio, video, prosody]")
        if self.takes_prosody and PROSODY not in plugins.options(PACKAGE, self.family):
            able = [name for name in plugins.names(PACKAGE) if PROSODY in plugins.options(PACKAGE, name)]
            raise ValueError(f"inputs names prosody, but mode is {self.mode}; modes with prosody: {', '.join(able)}")
        if len(set(self.warm_start)) < len(self.warm_start):
            raise ValueError(f"warm_start is {self.warm_start}; name each modality once")
        frozen_or_positive(self, "audio_lr", "video_lr")
        if not 0 <= self.video_blocks <= BLOCKS:
            raise ValueError(f"video_blocks is {self.video_blocks}; give 0 to {BLOCKS} ({BLOCKS} opens the stem too)")
        if self.video_views < 0:
            raise ValueError(f"video_views is {self.video_views}; give 0 or more")
        probabilities(self, "dropout", "audio_dropout", "video_dropout", "late_smoothing")
        parts = {"late": set(self.inputs)}.get(self.mode, {self.mode})  # all weights of the mode lie in these
        if min(self.head_epochs, self.epochs) < 0 or not (
            self.head_epochs + self.epochs or parts <= set(self.warm_start)
        ):
            raise ValueError(
                f"epochs is {self.epochs} and head_epochs {self.head_epochs}; their sum must be 1 or more. Modes "
                "audio, video and late with the warm start of all their parts may have 0: they are then those models "
                "(prosody has no pretrained model)"
            )
        if self.unimodal_loss < 0:
            raise ValueError(f"unimodal_loss is {self.unimodal_loss}; give 0 (none) or more")
        if self.audio_dropout + self.video_dropout > 1:
            raise ValueError(
                "audio_dropout and video_dropout add up to more than 1; a clip never loses both, so lower one"
            )

    @property
    def takes_prosody(self) -> bool:
        """Whether prosody is a third input."""
        return PROSODY in self.inputs

    @property
    def family(self) -> str:
        """The mode without the name of a head: the name of its file."""
        return self.mode.partition("_")[0] if self.mode.startswith("xattn_") else self.mode

    @property
    def smoothing(self) -> float:
        """Label smoothing of the configured mode."""
        return self.late_smoothing if self.mode == "late" else self.label_smoothing


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    audio: AudioParams
    video: VideoParams
    vision: VisionParams
    xattn: XattnParams
    fusion: FusionParams
    audio_augment: AudioAugmentParams
    frame_augment: FrameAugmentParams
    layers: list[int]  # in the wavlm cache, besides the last
    wavlm_layers: int  # last layers that are trained; 0 with a mel encoder
    open_blocks: int  # last blocks of the video encoder that are trained in any phase

    @property
    def by_speaker(self) -> list[str]:
        """Kinds of features that are standardised by each speaker's own clips."""
        prosody = ["prosody"] if self.fusion.takes_prosody and self.fusion.normalise == "speaker" else []
        return prosody + (self.audio.by_speaker if self.fusion.mode != "video" else [])

    @property
    def video_views(self) -> int:
        """Augmented copies of each training clip's frames; the output of an image encoder has none."""
        return 0 if self.video.encoder == "vision" else self.fusion.video_views

    @property
    def on_log_mel(self) -> bool:
        """Whether the fusion convolves the log-mel itself, so that no layer of the mel encoder has an effect."""
        return self.fusion.family == "xattn" and self.xattn.audio_path == "conv" and self.audio.encoder != "wavlm"


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    audio = params_file.read(file, "audio", AudioParams)
    speech = read_speech(file)
    p = params_file.read(file, "fusion", FusionParams)
    audio.check_normalise(file, speech.unfreeze_layers)
    stored, layers = stored_layers(file, "audio.layers", audio.layers), 0
    if audio.encoder == "wavlm" and p.mode != "video":
        layers = speech.trained(p.unfreeze_wavlm_layers, f"{file}: fusion.unfreeze_wavlm_layers")
    video, vision = read_video(file)
    blocks = video.trained(p.video_blocks, vision, f"{file}: fusion.video_blocks")
    return Config(
        open_blocks=blocks if p.video_lr and p.epochs else 0,
        vision=vision,
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        speech=speech,
        audio=audio,
        video=video,
        xattn=params_file.read(file, "xattn", XattnParams),
        fusion=p,
        layers=stored,
        wavlm_layers=layers if p.audio_lr and p.epochs else 0,
        audio_augment=params_file.read(file, "augment.audio", AudioAugmentParams),
        frame_augment=params_file.read(file, "augment.frames", FrameAugmentParams),
    )


# Field of a mode's Options -> the key that sets it.
OPTIONS = {
    "d_model": "xattn.d_model",
    "heads": "xattn.heads",
    "audio_path": "xattn.audio_path",
    "head": "xattn.head",
    "head_dropout": "xattn.head_dropout",
    "attention_dropout": "xattn.dropout",
    "stochastic_depth": "xattn.stochastic_depth",
    "dropout": "fusion.dropout",
    "audio_dropout": "fusion.audio_dropout",
    "video_dropout": "fusion.video_dropout",
    "gate_bias": "fusion.gate_bias",
    "simple_gate": "fusion.simple_gate",
    "residual": "fusion.residual",
    "late_rule": "fusion.late_rule",
    "unimodal_loss": "fusion.unimodal_loss",
}


OPEN_AUDIO = ("fusion.audio_lr", "fusion.unfreeze_wavlm_layers", "fusion.unfreeze_audio")
OPEN_VIDEO = ("fusion.video_lr", "fusion.video_blocks")
TRAINING = tuple(
    f"fusion.{key}"
    for key in (
        *("lr", "accumulate", "optimizer", "weight_decay", "decay_all", "label_smoothing", "late_smoothing", "mixup"),
        *("clip_norm", "cosine", "warmup", "ema", "select", "patience", "video_views"),
    )
)


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
        keys = ("fusion.gate_bias", "fusion.simple_gate", "fusion.dropout")
        reasons |= dict.fromkeys(keys, "the head is concat, without a gate")
    elif taken.get("head") == "gated":
        reasons["xattn.head_dropout"] = "the head is gated"
    if taken.get("simple_gate") and taken.get("head") != "concat":
        reasons["fusion.dropout"] = "fusion.simple_gate is true: the gate has no hidden layer"
    if taken.get("residual") is False:
        reasons["fusion.late_rule"] = "fusion.residual is false"
    reasons["fusion.label_smoothing" if p.mode == "late" else "fusion.late_smoothing"] = mode
    for modality in ("audio", "video"):
        if modality not in p.warm_start:
            reasons[f"fusion.{modality}_checkpoint"] = f"fusion.warm_start leaves {modality} out"
    if not p.takes_prosody:
        reasons["fusion.normalise"] = "fusion.inputs has no prosody"
    if not p.video_views:
        reasons["augment.frames"] = "fusion.video_views is 0"
    if config.video.encoder == "vision":
        cached = "video.encoder is vision, whose output is cached"
        reasons |= dict.fromkeys(("augment.frames", "fusion.video_views"), cached)
    reasons["augment.frames.draw"] = "fusion uses every frame"
    reasons |= unused_of_lora(config.audio, config.wavlm_layers) | unused_of_encoder(config.audio)
    reasons |= _unused_of_freezing(config) | p.unused("fusion")
    reasons |= unused_of_video(config.video)
    if p.mode == "video":
        reasons |= dict.fromkeys(["audio", "speech", "augment.audio", *OPEN_AUDIO, "fusion.audio_checkpoint"], mode)
    if p.mode == "audio":
        of_video = ["fusion.video_views", "fusion.video_checkpoint"]
        reasons |= dict.fromkeys(["video", "vision", "augment.frames", *OPEN_VIDEO, *of_video], mode)
    if not p.head_epochs + p.epochs:
        reasons |= dict.fromkeys([*TRAINING, "augment.audio", "augment.frames"], "there are no epochs")
    return reasons


def _unused_of_freezing(config: Config) -> dict[str, str]:
    """Params of the encoders' training without effect: key -> reason."""
    p, encoder = config.fusion, config.audio.encoder
    reasons: dict[str, str] = {}
    if not p.epochs:
        return dict.fromkeys((*OPEN_AUDIO, *OPEN_VIDEO), "fusion.epochs is 0: the encoders stay frozen")
    if encoder == "wavlm":
        reasons["fusion.unfreeze_audio"] = "audio.encoder is wavlm"
        open_audio, closed = config.speech.unfreeze_layers > 0, "speech.unfreeze_layers is 0"
        if open_audio and p.unfreeze_wavlm_layers == 0:
            open_audio, closed = False, "fusion.unfreeze_wavlm_layers is 0"
    else:
        reasons["fusion.unfreeze_wavlm_layers"] = f"audio.encoder is {encoder}"
        open_audio, closed = p.unfreeze_audio, "fusion.unfreeze_audio is false"
    if config.on_log_mel:
        keys = ("fusion.audio_lr", "fusion.unfreeze_audio")
        reasons |= dict.fromkeys(keys, "xattn.audio_path is conv: no layer of the mel encoder is used")
    elif not open_audio:
        reasons["fusion.audio_lr"] = closed
    elif not p.audio_lr:
        keys = ("fusion.unfreeze_wavlm_layers", "fusion.unfreeze_audio")
        reasons |= dict.fromkeys(keys, f"fusion.audio_lr is {p.audio_lr}")
    cached = config.video.encoder == "vision" and not config.vision.unfreeze_layers
    frozen = "vision.unfreeze_layers is 0" if cached else "fusion.video_blocks is 0"
    if cached:
        reasons["fusion.video_blocks"] = frozen
    elif p.video_blocks and not p.video_lr:
        reasons["fusion.video_blocks"] = f"fusion.video_lr is {p.video_lr}"
    # What pretraining trained over the frames is tuned with video_lr, whatever blocks are open.
    if (cached or not p.video_blocks) and not (config.video.learned and "video" in p.warm_start):
        reasons["fusion.video_lr"] = frozen
    return reasons
