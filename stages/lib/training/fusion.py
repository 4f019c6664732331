"""Params of the fusion stage, and what they make of a fusion model: its parts, its phases of training, its start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from stages.lib.models.fusion import Fusion
from stages.lib.models.video import BLOCKS
from stages.lib.models.wavlm import SpeechParams
from stages.lib.training import checkpoint, freeze, loop
from stages.lib.training.folds import Fold
from stages.lib.training.speech import AudioParams, audio_arguments


@dataclass(frozen=True, kw_only=True)
class XattnParams:
    """Section `xattn`: cross-attention between the modalities."""

    d_model: int
    heads: int
    head: Literal["concat", "gated"]
    dropout: float  # of attention weights
    stochastic_depth: float  # probability that a training clip skips the attention branch

    def __post_init__(self) -> None:
        if self.heads < 1 or self.d_model % self.heads:
            raise ValueError(f"heads is {self.heads}; it must divide d_model ({self.d_model}), such as 1, 2, 4 or 8")
        _probabilities(self, "dropout", "stochastic_depth")


@dataclass(frozen=True, kw_only=True)
class FusionParams(loop.OptimParams):
    """Section `fusion`."""

    mode: Literal["audio", "video", "late", "concat", "gated", "xattn", "xattn_concat", "xattn_gated"]
    head_epochs: int  # encoders frozen
    epochs: int  # encoders' last layers open
    audio_lr: float  # of wavlm's open layers, or of a whole mel encoder
    video_lr: float  # of the open ResNet blocks
    video_blocks: int  # last blocks that learn
    video_views: int  # augmented copies of each training clip's frames; 0 = as they are
    dropout: float
    simple_gate: bool  # Linear -> sigmoid in place of the gate with a hidden layer
    gate_bias: float | None  # sigmoid(gate_bias) is the share of audio at first; null = a random start
    audio_dropout: float  # gated, xattn: probability that a training clip loses that modality
    video_dropout: float
    label_smoothing: float
    warm_start: list[Literal["audio", "video"]]  # encoders that start from pretraining
    audio_checkpoint: str  # folder of pretrain_audio, or a .safetensors or .pt file
    video_checkpoint: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.warm_start)) < len(self.warm_start):
            raise ValueError(f"warm_start is {self.warm_start}; name each modality once")
        for name in ("audio_lr", "video_lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if not 0 <= self.video_blocks <= BLOCKS:
            raise ValueError(f"video_blocks is {self.video_blocks}; give 0 to {BLOCKS} ({BLOCKS} opens the stem too)")
        if self.video_views < 0:
            raise ValueError(f"video_views is {self.video_views}; give 0 or more")
        _probabilities(self, "dropout", "audio_dropout", "video_dropout", "label_smoothing")
        if min(self.head_epochs, self.epochs) < 0 or self.head_epochs + self.epochs == 0:
            raise ValueError(f"epochs is {self.epochs} and head_epochs {self.head_epochs}; train for 1 or more in all")
        if self.audio_dropout + self.video_dropout > 1:
            raise ValueError("audio_dropout and video_dropout add up to more than 1, but never both are dropped")


def architecture(
    fusion: FusionParams, xattn: XattnParams, audio: AudioParams, speech: SpeechParams, classes: int
) -> dict:
    """Arguments of build_fusion."""
    mode, _, head = fusion.mode.partition("_")  # xattn_gated is xattn with that head, whatever xattn.head says
    lost = {"audio_dropout": fusion.audio_dropout, "video_dropout": fusion.video_dropout}
    gate = {"gate_bias": fusion.gate_bias, "simple_gate": fusion.simple_gate}
    options = {
        "concat": {"dropout": fusion.dropout},
        "gated": {"dropout": fusion.dropout, **lost, **gate},
        "xattn": {
            "d_model": xattn.d_model,
            "heads": xattn.heads,
            "head": head or xattn.head,
            "attention_dropout": xattn.dropout,
            "stochastic_depth": xattn.stochastic_depth,
            "dropout": fusion.dropout,
            **lost,
            **gate,
        },
    }
    return {
        "mode": mode,
        "classes": classes,
        "audio": None if mode == "video" else audio_arguments(audio, speech),
        "video": None if mode == "audio" else {},
        "options": options.get(mode, {}),
    }


def phases(model: Fusion, p: FusionParams) -> list[loop.Phase]:
    """Which weights learn when, and how fast."""
    head = {"params": model.head_parameters(), "lr": p.lr}
    encoders = []
    if model.audio is not None:
        encoders.append({"params": model.audio.encoder_parameters(), "lr": p.audio_lr})
    if model.video is not None:
        encoders.append({"params": model.video.last_parameters(p.video_blocks), "lr": p.video_lr})

    def prepare(groups: list[dict]) -> list[dict]:
        freeze.train_only(model, (parameter for group in groups for parameter in group["params"]))
        return [group for group in groups if group["params"]]

    both = [
        loop.Phase(name="head", epochs=p.head_epochs, prepare=lambda: prepare([head])),
        loop.Phase(name="finetune", epochs=p.epochs, prepare=lambda: prepare([head, *encoders])),
    ]
    return [phase for phase in both if phase.epochs]


def warm_start(part: nn.Module, source: Path, classes: list[str], fold: Fold | None) -> dict[str, list[str]]:
    """Load a pretrained audio or video model into its place in the fusion; returns which weights were taken.

    Args:
        source: folder of a pretraining stage (with one folder a fold where there are folds), or a file of weights.

    Raises:
        ValueError: not readable, made for other classes or of another shape.
    """
    if source.is_file():
        return checkpoint.warm_start(part, checkpoint.read_weights(source), str(source))
    folder = source / fold.name if fold else source
    config, state = checkpoint.load(folder)
    if config.get("classes") != classes:
        raise ValueError(f"{folder}: trained for the classes {config.get('classes')}, not {classes}; run `dvc repro`")
    return checkpoint.warm_start(part, state, str(folder))


def _probabilities(section: object, *names: str) -> None:
    for name in names:
        if not 0.0 <= getattr(section, name) <= 1.0:
            raise ValueError(f"{name} is {getattr(section, name)}; it lies in 0 to 1")
