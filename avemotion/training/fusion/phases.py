"""Fusion training: the model's arguments, its phases and its warm start."""

from typing import Any

from torch import nn

from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.audio_model import AudioModel, MelEncoder
from avemotion.models.fusion.base import Fusion
from avemotion.params.fusion import Config, options
from avemotion.training.common import freeze, loop
from avemotion.training.emotion.audio_input import audio_arguments
from avemotion.training.video_start import video_arguments

EGEMAPS = 88  # functionals of eGeMAPSv02


def architecture(
    config: Config,
    classes: int,
    caches: dict[str, FeatureStore] | None = None,
    bands: int | None = None,
    functionals: int = EGEMAPS,
) -> dict[str, Any]:
    """Arguments of build_fusion.

    Args:
        caches: as for video_arguments. bands: as for audio_arguments. functionals: of prosody, where it is an input.
    """
    mode = config.fusion.family
    return {
        "mode": mode,
        "classes": classes,
        "audio": None if mode == "video" else audio_arguments(config, bands),
        "video": None if mode == "audio" else video_arguments(config.video, config.vision, caches),
        "options": options(config) | ({"prosody": functionals} if config.fusion.takes_prosody else {}),
    }


def phases(model: Fusion, config: Config) -> list[loop.Phase]:
    """The phases of training with their trained weights and learning rates; none without epochs.

    What pretraining has trained between the frames and the clip is tuned like the blocks of the video encoder, in the
    second phase; without a warm start it is trained with the head.
    """
    p = config.fusion
    of_head, encoders = model.head_parameters(), []
    if model.audio is not None:
        encoders.append({"params": open_audio(model.audio, config), "lr": p.audio_lr})
    if model.video is not None:
        over_frames = model.video.sequence_parameters()
        if "video" not in p.warm_start:
            of_head += over_frames
        opened = model.video.last_parameters(config.open_blocks)
        if "video" in p.warm_start and p.video_lr:
            opened += over_frames
        encoders.append({"params": opened, "lr": p.video_lr})
    head = {"params": of_head, "lr": p.lr}

    def prepare(groups: list[dict]) -> list[dict]:
        freeze.train_only(model, (parameter for group in groups for parameter in group["params"]))
        return [group for group in groups if group["params"]]

    both = [
        loop.Phase(name="head", epochs=p.head_epochs, prepare=lambda: prepare([head])),
        loop.Phase(name="finetune", epochs=p.epochs, prepare=lambda: prepare([head, *encoders])),
    ]
    return [phase for phase in both if phase.epochs]


def open_audio(model: AudioModel, config: Config) -> list[nn.Parameter]:
    """The parameters of the audio encoder that the second phase trains."""
    if isinstance(model, MelEncoder) and (
        not config.fusion.unfreeze_audio or not config.fusion.audio_lr or config.on_log_mel
    ):
        return []
    return model.encoder_parameters(config.wavlm_layers)


def refuse_untrained(mode: str, missing: list[str]) -> None:
    """Raises ValueError if weights would be neither trained nor taken from a checkpoint; missing: their names."""
    if missing:
        raise ValueError(
            f"fusion.epochs and head_epochs are 0, but fusion.{mode}_checkpoint has no {', '.join(missing[:3])}; give "
            "fusion.head_epochs 1 or more"
        )
