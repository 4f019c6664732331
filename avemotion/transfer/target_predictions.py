"""Predictions of the models of a run for the clips of a target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from avemotion.datasets.clip_batches import ClipDataset, Source
from avemotion.datasets.vision_rows import video_source
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.encoders.audio_model import AudioModel
from avemotion.models.encoders.video_encoder import VideoModel
from avemotion.models.fusion.base import Fusion
from avemotion.params.training.audio import feature_kind
from avemotion.prediction.feature_settings import Settings
from avemotion.prediction.no_sound import silent
from avemotion.training.emotion import audio_input, classifier
from avemotion.training.va.fusion_inputs import fusion_prosody
from avemotion.transfer.run_models import RunModel

BATCH = 16  # clips at a time
LEAST = 2  # classes that a model and a target must share

Stores = Mapping[str, FeatureStore]  # features of the target by kind


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Predictions of one model.

    In the table, `predicted` is the most probable of the shared classes, `predicted_of_all` that of all classes of the
    model.
    """

    model: RunModel
    shared: list[str]  # those of its classes that clips of the target have
    table: pd.DataFrame  # id, speaker, label, predicted, predicted_of_all, p_<class> ... of all classes of the model
    other_classes: dict[str, int]  # class of the target alone -> its clips, which have no prediction
    without_input: int  # clips of the shared classes without the sound or picture that the model takes


class NotScoredError(ValueError):
    """A model has no input or no classes in common with the target."""


def predict_all(
    models: Sequence[RunModel],
    clips: pd.DataFrame,
    features: Callable[[Mapping[str, Settings]], Stores],
    device: torch.device,
) -> tuple[dict[str, Predicted], dict[str, str]]:
    """Stage -> predictions of its model, and stage -> why there are none.

    Args:
        clips: as for predict. features: settings by kind -> the target's features.
    """
    predicted: dict[str, Predicted] = {}
    reasons: dict[str, str] = {}
    for model in models:
        try:
            shared_classes(model, clips["label"])  # before anything is extracted
            predicted[model.stage] = predict(model, clips, features(model.settings), device)
        except NotScoredError as error:
            reasons[model.stage] = str(error)
    return predicted, reasons


def shared_classes(model: RunModel, labels: pd.Series) -> list[str]:
    """The classes of a model that occur among labels, in the model's order.

    Raises:
        NotScoredError: there are fewer than two.
    """
    present = set(labels.dropna())
    shared = [name for name in model.classes if name in present]
    if len(shared) < LEAST:
        own, other = ", ".join(model.classes), ", ".join(sorted(present)) or "none"
        raise NotScoredError(
            f"its classes are {own}; those of the clips are {other}; {len(shared)} in common, 2 are needed"
        )
    return shared


def predict(model: RunModel, clips: pd.DataFrame, stores: Stores, device: torch.device) -> Predicted:
    """Predict the clips that have a class of the model, and sound or a picture that it takes.

    Args:
        clips: id, speaker and label (None = no class) of all clips of the target.

    Raises:
        NotScoredError: as shared_classes, or no clip has what the model takes.
    """
    arrays = _arrays(model)
    has = np.array([any(stores[kind].length(clip, name) for kind, name in arrays.items()) for clip in clips["id"]])
    if not has.any():
        raise NotScoredError(f"it takes {' or '.join(arrays)}, which no clip has")
    labelled = clips["label"].isin(model.classes)
    rows = clips[has & labelled].sort_values("id", ignore_index=True)
    shared = shared_classes(model, rows["label"])
    speakers = dict(zip(clips["id"], clips["speaker"], strict=True))
    dataset = _dataset(model, list(rows["id"]), speakers, stores)
    probabilities = model.probabilities(classifier.batches(dataset, BATCH, device)).double().numpy()
    others = clips["label"][~labelled].dropna().value_counts()
    return Predicted(
        model=model,
        shared=shared,
        table=table(rows, probabilities, model.classes, shared),
        other_classes={str(name): int(others[name]) for name in sorted(others.index)},
        without_input=int((labelled & ~has).sum()),
    )


def table(rows: pd.DataFrame, probabilities: np.ndarray, classes: Sequence[str], shared: Sequence[str]) -> pd.DataFrame:
    """Predicted.table of R clips; probabilities: [R, C] of all classes of the model."""
    kept = [classes.index(name) for name in shared]
    return pd.DataFrame(
        {
            **{name: rows[name].to_numpy() for name in ("id", "speaker", "label")},
            "predicted": [shared[k] for k in probabilities[:, kept].argmax(1)],
            "predicted_of_all": [classes[k] for k in probabilities.argmax(1)],
            **{f"p_{name}": probabilities[:, k] for k, name in enumerate(classes)},
        }
    )


def _arrays(model: RunModel) -> dict[str, str]:
    """Kinds of features and arrays of a model's modalities; a clip with rows of one of them has a prediction."""
    arrays = {} if model.audio is None else {feature_kind(model.audio["encoder"]): audio_input.array(model.audio)}
    return arrays | ({"frames": "frames"} if model.video else {})  # a clip with frames has embeddings of them


def _dataset(model: RunModel, ids: Sequence[str], speakers: Mapping[str, str], stores: Stores) -> ClipDataset:
    """Clips without targets; statistics of a speaker come from all of his or her clips, those without class too."""
    audio: Source | None = None
    prosody, first = None, model.members[0]
    if model.audio is not None:
        store = stores[feature_kind(model.audio["encoder"])]
        if store.arrays:
            audio = audio_input.new_source(model.audio, store, model.by_speaker, speakers, None)
        else:
            sound = first.audio if isinstance(first, Fusion) else first
            assert isinstance(sound, AudioModel)
            audio = silent(sound)
    if isinstance(first, Fusion) and first.prosody is not None:
        prosody = fusion_prosody(first.prosody, stores["prosody"], model.by_speaker, speakers, None)
    video: Source | None = None
    if model.video:
        pictures = first.video if isinstance(first, Fusion) else first
        assert isinstance(pictures, VideoModel)
        video = video_source(pictures, stores)
    return ClipDataset(ids, torch.zeros(len(ids), dtype=torch.long), audio, video, prosody)
