"""Builds a fusion model from plain arguments."""

from typing import Any

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.video_models import build_video
from avemotion.models.fusion.base import Fusion
from avemotion.system import plugins

MODES = "avemotion.models.fusion.modes"


def build_fusion(
    mode: str, classes: int, audio: dict[str, Any] | None, video: dict[str, Any] | None, options: dict[str, Any]
) -> Fusion:
    """A fusion model with fresh weights; its checkpoint stores these arguments.

    Args:
        mode: name of a file in models/fusion/modes.
        audio: {"encoder": name, **arguments of AUDIO_MODELS[name]} or None for mode "video".
        video: {"encoder": name, **arguments of VIDEO_MODELS[name]} or None for mode "audio".
        options: fields of the mode's Options.
    """
    audio_model = None if audio is None else build_audio(classes, audio)
    video_model = None if video is None else build_video(classes, video)
    module = plugins.load(MODES, mode)
    return module.FUSION(audio_model, video_model, classes, module.Options(**options))
