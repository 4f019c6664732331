"""The stage fusion's own model and phases at toy sizes."""

from pathlib import Path

from fusion_toys import CLASSES
from project_params import params_with

from avemotion.models.fusion.base import Fusion
from avemotion.models.fusion.build import build_fusion
from avemotion.params import fusion
from avemotion.params.fusion import FusionParams
from avemotion.training.common.loop import Phase
from avemotion.training.fusion import phases

QUICK = {
    "audio.encoder": "wavlm",
    "speech.model": "tiny",
    "speech.unfreeze_layers": 2,
    "xattn.d_model": 32,
    "xattn.heads": 2,
    "fusion.head_epochs": 4,
    "fusion.epochs": 6,
    "fusion.lr": 3e-3,
    "fusion.audio_lr": 1e-3,
    "fusion.video_lr": 2e-3,
    "fusion.video_blocks": 1,
    "fusion.label_smoothing": 0.0,
    "fusion.weight_decay": 0.0,
    "fusion.patience": 99,
    "fusion.batch_size": 8,
    "fusion.accumulate": 1,
    "fusion.precision": "fp32",
}


def configured(folder: Path, **changes: object) -> tuple[FusionParams, Fusion, list[Phase]]:
    """(params, fusion model, its phases) of the stage."""
    config = fusion.configure(params_with(folder, QUICK | changes))
    model = build_fusion(**phases.architecture(config, CLASSES))
    return config.fusion, model, phases.phases(model, config)
