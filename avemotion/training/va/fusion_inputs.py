"""The inputs of a trained fusion model for turns or new recordings, relative to the speaker where it was trained so."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from avemotion.datasets.clip_batches import ClipDataset
from avemotion.datasets.memory_store import Store
from avemotion.datasets.prosody_rows import ARRAY, ProsodyRows
from avemotion.datasets.vision_rows import video_source
from avemotion.models.encoders.prosody_model import ProsodyModel
from avemotion.models.fusion.base import Fusion
from avemotion.params.training.audio import feature_kind
from avemotion.training.emotion.audio_input import new_source, relative


def fusion_clips(
    fusion: Fusion,
    arguments: dict[str, Any] | None,
    caches: Mapping[str, Store],
    by_speaker: Sequence[str],
    speakers: Mapping[str, str],
    counted: Collection[str] | None,
) -> ClipDataset:
    """Every clip of `speakers` without a label, in that order.

    Args:
        arguments: of the audio encoder; None where the model has none.
        caches: features by kind. by_speaker: kinds that are relative to the speaker.
        speakers, counted: as for SpeakerStore.
    """
    audio = video = prosody = None
    if arguments is not None:
        audio = new_source(arguments, caches[feature_kind(arguments["encoder"])], by_speaker, speakers, counted)
    if fusion.video is not None:
        video = video_source(fusion.video, caches)
    if fusion.prosody is not None:
        prosody = fusion_prosody(fusion.prosody, caches["prosody"], by_speaker, speakers, counted)
    return ClipDataset(list(speakers), torch.zeros(len(speakers), dtype=torch.long), audio, video, prosody)


def fusion_prosody(
    model: ProsodyModel,
    store: Store,
    by_speaker: Sequence[str],
    speakers: Mapping[str, str],
    counted: Collection[str] | None,
) -> ProsodyRows:
    """The functionals of a fusion model; arguments as for fusion_clips."""
    rows = relative(store, "prosody", [ARRAY], by_speaker, speakers, counted)
    return ProsodyRows(rows, len(model.standardize.mean))
