"""The trained models on the windows of a recording, one after another. All intermediate data is in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from avemotion.datasets.memory_store import MemoryStore
from avemotion.datasets.speaker_store import SpeakerStore
from avemotion.models.session import Session
from avemotion.prediction import missing_values
from avemotion.prediction import recording as recordings
from avemotion.prediction.fusion_windows import BATCH, with_emotion
from avemotion.prediction.own_windows import Own, Speaker
from avemotion.prediction.piece_features import extract, speaker
from avemotion.prediction.recording import Piece, Recording
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Prediction, Window
from avemotion.system.media_error import MediaError
from avemotion.training.va.turn_batches import TurnDataset, collate_turns
from avemotion.training.va.turn_embeddings import TurnInputs, turn_facts, turn_rows, without_sound

Progress = Callable[[int, int], None]  # windows done, windows of the recording


def predict(
    recording: Recording,
    models: Models,
    *,
    window: float,
    hop: float,
    voice: np.ndarray | None = None,
    own: Own | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Emotion, valence and arousal of every window of a recording.

    Args:
        window, hop: seconds; see recording.spans.
        voice: [1, S] speaker embedding; None = that of the recording itself.
        own: windows of the speaker behind the statistics that models take; None = those of the recording itself.
        progress: called after every BATCH windows, of which alone the features are in memory; an exception from it
            ends the prediction.

    Raises:
        MediaError: a feature is not finite; it names file, window and feature.
    """
    pieces = recordings.cut(recording, recordings.spans(recording.seconds, window, hop))
    if voice is None and recording.waveform is not None:
        voice = speaker(models, recording)
    judge, windows, notes = Judge(models, voice, own), list[Window](), list(recording.notes)
    # Without other recordings, statistics of the speaker are those of all windows, which are then predicted together.
    step = len(pieces) if models.takes_speaker_statistics and own is None else BATCH
    for first in range(0, len(pieces), step):
        try:
            judged, more = judge(pieces[first : first + step])
        except MediaError as error:
            where = next((f"{p.start:g} to {p.end:g} s: " for p in pieces if p.name == error.args[0]), "")
            raise MediaError(recording.path, f"{where}{error.reason}") from error
        windows += judged
        notes += more
        if progress is not None:
            progress(len(windows), len(pieces))
    return finished(recording, windows, notes, models, own)


def finished(
    recording: Recording, windows: list[Window], notes: list[str], models: Models, own: Own | None = None
) -> Prediction:
    """The prediction of a recording from all of its windows; adds notes on missing values."""
    return Prediction(
        recording=recording,
        windows=windows,
        classes=models.classes,
        targets=models.targets,
        notes=[*notes, *missing_values.notes(windows, models, own)],
    )


class Judge:
    """Predicts the windows of a recording, or the turns of a dialogue, in time order.

    The VA models carry their state from call to call, so windows may come while the recording goes on.
    """

    def __init__(self, models: Models, voice: np.ndarray | None = None, own: Own | None = None):
        """
        Args:
            voice: [1, S] speaker embedding; None = each window has its own.
            own: windows of the speaker behind the statistics that models take; None = those of each call.
        """
        self.models, self.voice, self.own = models, voice, own
        self.sessions = {fold: Session(model) for fold, model in models.va.items()}

    @torch.inference_mode()
    def __call__(self, pieces: Sequence[Piece]) -> tuple[list[Window], list[str]]:
        """The windows of the next pieces, and notes on pieces without picture.

        Raises:
            MediaError: a feature is not finite; it names the piece.
        """
        stores, notes = extract(pieces, self.models, self.voice)
        windows = {piece.name: _window(piece, stores.get("frames")) for piece in pieces}
        counted = Speaker(list(windows))
        if self.own is not None:
            stores = {kind: store.joined(self.own.stores[kind]) for kind, store in stores.items()}
            counted = Speaker(self.own.names)
        if self.models.fusions:
            windows = with_emotion(windows, self.models, stores, counted)
        if self.models.va:
            windows = self._affect(windows, stores, counted)
        return list(windows.values()), notes

    def _affect(
        self, windows: dict[str, Window], stores: Mapping[str, MemoryStore], speaker: Speaker
    ) -> dict[str, Window]:
        """Predict turn by turn, with a state for the model of each fold."""
        ids = [name for name, window in windows.items() if window.sound]
        if not ids:
            return windows
        turns = _turns(ids, self.models, stores, speaker)
        hop, predicted = stores["wavlm"].facts["hop_seconds"], dict(windows)
        for i, name in enumerate(ids):
            inputs = {fold: collate_turns([dataset[None, i]]).inputs for fold, dataset in turns.items()}
            outputs = [session(**inputs[fold]) for fold, session in self.sessions.items()]
            attention = dict(windows[name].attention)
            if outputs[0].attention is not None:
                weights = torch.cat([output.attention for output in outputs]).float().mean(0).cpu().numpy()
                times = (np.arange(len(weights)) + 0.5) * hop + windows[name].start
                attention["prosody_to_speech"] = times, weights
            values = torch.cat([output.prediction for output in outputs]).double().cpu().numpy()
            predicted[name] = replace(windows[name], affect=values, attention=attention)
        return predicted


def _window(piece: Piece, frames: MemoryStore | None) -> Window:
    """The window of a piece without predictions."""
    picture = piece.picture is not None if frames is None else piece.name not in frames.missing
    face = None
    if frames is not None and picture and frames.settings["params"]["face"]:
        face = bool(frames.get(piece.name, "face")[0])
    return Window(
        start=piece.start,
        end=piece.end,
        sound=piece.waveform is not None,
        picture=picture,
        face=face,
        attention={},
    )


def _turns(
    ids: Sequence[str], models: Models, stores: Mapping[str, MemoryStore], speaker: Speaker
) -> dict[int, TurnDataset]:
    """The inputs of the VA model of each fold, computed once for each fusion model."""
    datasets: dict[int, TurnDataset] = {}
    for fold, inputs in models.inputs.items():
        shared = next((other for other in datasets if models.inputs[other] is inputs), None)
        datasets[fold] = datasets[shared] if shared is not None else _embedded(ids, inputs, models, stores, speaker)
    return datasets


def _embedded(
    ids: Sequence[str], inputs: TurnInputs, models: Models, stores: Mapping[str, MemoryStore], speaker: Speaker
) -> TurnDataset:
    caches = {kind: stores[kind] for kind in inputs.kinds}
    everyone = speaker.of(ids)
    silent = without_sound(inputs, list(everyone), caches)
    rows = dict(turn_rows(inputs, everyone, silent, caches, models.device, speaker.counted))
    store = SpeakerStore(MemoryStore(rows, turn_facts(caches)), models.by_speaker, everyone, speaker.counted)
    return TurnDataset(store, ids, torch.full((len(ids), len(models.targets)), torch.nan))
