"""Predictions of the trained models for a recording, piece by piece. All intermediate data is in memory.

Shapes: C classes, K targets, F folds of the VA models, T audio steps, N frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from avemotion.datasets.audio_features import AudioSource
from avemotion.datasets.clip_batches import ClipDataset, Source
from avemotion.datasets.frame_sequences import FrameSource
from avemotion.datasets.memory_store import MemoryStore
from avemotion.datasets.speaker_store import SpeakerStore
from avemotion.models.encoders.audio_model import MelEncoder
from avemotion.models.session import Session
from avemotion.params.training.audio import feature_kind
from avemotion.prediction import recording as recordings
from avemotion.prediction.own_windows import Own, Speaker
from avemotion.prediction.piece_features import extract, speaker
from avemotion.prediction.recording import Piece, Recording
from avemotion.prediction.trained_models import Models
from avemotion.system.media_error import MediaError
from avemotion.training.emotion import audio_input, classifier
from avemotion.training.fusion import fusion_exports
from avemotion.training.va.fusion_inputs import fusion_prosody
from avemotion.training.va.turn_batches import TurnDataset, collate_turns
from avemotion.training.va.turn_embeddings import TurnInputs, turn_facts, turn_rows, without_sound

BATCH = 16  # windows at a time


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of a recording with its predictions; None where sound or picture is missing for a prediction."""

    start: float  # seconds
    end: float
    sound: bool
    picture: bool
    emotion: np.ndarray | None = None  # [C] probabilities; with folds, the mean over the fusion models
    gate: float | None = None  # share of audio
    affect: np.ndarray | None = None  # [F, K] the targets by the model of each fold
    # name -> (seconds from the recording's start, weights with sum 1), mean over queries:
    # video_to_audio and prosody_to_speech over audio steps, audio_to_video over frames
    attention: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """All windows of a recording, and notes on missing values."""

    recording: Recording
    windows: list[Window]
    notes: list[str]
    targets: list[str]  # of `affect`: valence, arousal and what else the models predict

    @property
    def emotion(self) -> np.ndarray | None:
        """[C], the mean over windows, weighted by their seconds."""
        return self._mean([window.emotion for window in self.windows])

    @property
    def affect(self) -> np.ndarray | None:
        """[F, K], the mean over windows, weighted by their seconds."""
        return self._mean([window.affect for window in self.windows])

    def _mean(self, values: list[np.ndarray | None]) -> np.ndarray | None:
        present = [(value, w.end - w.start) for value, w in zip(values, self.windows, strict=True) if value is not None]
        return np.average([v for v, _ in present], axis=0, weights=[s for _, s in present]) if present else None


@torch.inference_mode()
def predict(
    recording: Recording,
    models: Models,
    *,
    window: float,
    hop: float,
    voice: np.ndarray | None = None,
    own: Own | None = None,
) -> Prediction:
    """Emotion, valence and arousal of every window of a recording.

    Args:
        window, hop: seconds; see recording.spans.
        voice: [1, S] speaker embedding; None = that of the recording itself.
        own: windows of the speaker behind the statistics that models take; None = those of the recording itself.

    Raises:
        MediaError: a feature is not finite; it names file, window and feature.
    """
    pieces = recordings.cut(recording, recordings.spans(recording.seconds, window, hop))
    if voice is None and recording.waveform is not None:
        voice = speaker(models, recording)
    try:
        stores, notes = extract(pieces, models, voice)
    except MediaError as error:
        where = next((f"{p.start:g} to {p.end:g} s: " for p in pieces if p.name == error.args[0]), "")
        raise MediaError(recording.path, f"{where}{error.reason}") from error
    if own is not None:
        stores = {kind: store.joined(own.stores[kind]) for kind, store in stores.items()}
    counted = None if own is None else own.names
    windows = list(judge(pieces, models, stores, counted).values())
    notes = [*recording.notes, *notes, *_unanswered(windows, models, counted)]
    return Prediction(recording=recording, windows=windows, notes=notes, targets=models.targets)


def judge(
    pieces: Sequence[Piece],
    models: Models,
    stores: Mapping[str, MemoryStore],
    counted: Sequence[str] | None = None,
) -> dict[str, Window]:
    """The windows of a recording, or the turns of a dialogue, in time order, by the name of the piece.

    counted: names in stores behind the statistics of the speaker; None = the pieces themselves.
    """
    blank = set(stores["frames"].missing) if "frames" in stores else {p.name for p in pieces if not p.picture}
    windows = {
        piece.name: Window(
            start=piece.start,
            end=piece.end,
            sound=piece.waveform is not None,
            picture=piece.name not in blank,
            attention={},
        )
        for piece in pieces
    }
    speaker = Speaker(list(windows) if counted is None else list(counted))
    windows = _emotion(windows, models, stores, speaker) if models.fusions else windows
    return _affect(windows, models, stores, speaker) if models.va else windows


def _emotion(
    windows: dict[str, Window], models: Models, stores: Mapping[str, MemoryStore], speaker: Speaker
) -> dict[str, Window]:
    takes_audio, takes_video = models.fusions[0].audio is not None, models.fusions[0].video is not None
    ids = [name for name, w in windows.items() if (takes_audio and w.sound) or (takes_video and w.picture)]
    if not ids:
        return windows
    audio = _audio_source(ids, models, stores, speaker) if takes_audio else None
    video = FrameSource(stores["frames"]) if takes_video else None
    prosody, of_prosody = None, models.fusions[0].prosody
    if of_prosody is not None:
        relative = models.fusion_by_speaker, speaker.of(ids), speaker.counted
        prosody = fusion_prosody(of_prosody, stores["prosody"], *relative)
    dataset = ClipDataset(ids, torch.zeros(len(ids), dtype=torch.long), audio, video, prosody)
    predicted = dict(windows)
    for batch in classifier.batches(dataset, BATCH, models.device):
        outputs = [model(*batch.inputs) for model in models.fusions]
        scaled = [output.probabilities(t) for output, t in zip(outputs, models.temperatures, strict=True)]
        shares = torch.stack(scaled).mean(0).cpu().numpy()
        gates = None
        if outputs[0].gate is not None:
            gates = torch.stack([output.gate for output in outputs]).float().mean(0).tolist()
        attention: list[dict[str, torch.Tensor]] = []
        if outputs[0].video_to_audio is not None and stores["frames"].arrays:
            clock = audio.clock if isinstance(audio, AudioSource) else lambda clip: (0.0, 0.0)
            attention = [fusion_exports.attention_maps(batch, output, clock, stores["frames"]) for output in outputs]
        for i, name in enumerate(batch.ids):
            window = windows[name]
            predicted[name] = replace(
                window,
                emotion=shares[i].astype(float),
                gate=None if gates is None else gates[i],
                attention=_profiles(attention, name, window.start) if window.sound and window.picture else {},
            )
    return predicted


def _audio_source(ids: Sequence[str], models: Models, stores: Mapping[str, MemoryStore], speaker: Speaker) -> Source:
    assert models.audio is not None
    kind, name = feature_kind(models.audio["encoder"]), audio_input.array(models.audio)
    store, model = stores[kind], models.fusions[0].audio
    assert model is not None
    if store.arrays:
        by_speaker = models.fusion_by_speaker, speaker.of(ids), speaker.counted
        return AudioSource(audio_input.relative(store, kind, name, *by_speaker), name)
    size = len(model.normalize.mean) if isinstance(model, MelEncoder) else model.dim
    return lambda clip, epoch: (torch.zeros(1, size), 0)  # no window has sound


def _profiles(maps: list[dict[str, torch.Tensor]], clip: str, start: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean over folds and over queries; times from the recording's start."""
    profiles = {}
    for name, times in (("video_to_audio", "audio_times"), ("audio_to_video", "video_times")):
        if maps:
            weights = torch.stack([of[f"{clip}/{name}"].mean(0) for of in maps]).mean(0)
            profiles[name] = maps[0][f"{clip}/{times}"].numpy() + start, weights.numpy()
    return profiles


def _affect(
    windows: dict[str, Window], models: Models, stores: Mapping[str, MemoryStore], speaker: Speaker
) -> dict[str, Window]:
    """Predict turn by turn, with a state for the model of each fold."""
    ids = [name for name, window in windows.items() if window.sound]
    if not ids:
        return windows
    turns = _turns(ids, models, stores, speaker)
    sessions = {fold: Session(model) for fold, model in models.va.items()}
    hop, predicted = stores["wavlm"].facts["hop_seconds"], dict(windows)
    for i, name in enumerate(ids):
        inputs = {fold: collate_turns([dataset[None, i]]).inputs for fold, dataset in turns.items()}
        outputs = [session(**inputs[fold]) for fold, session in sessions.items()]
        attention = dict(windows[name].attention)
        if outputs[0].attention is not None:
            weights = torch.cat([output.attention for output in outputs]).float().mean(0).cpu().numpy()
            times = (np.arange(len(weights)) + 0.5) * hop + windows[name].start
            attention["prosody_to_speech"] = times, weights
        values = torch.cat([output.prediction for output in outputs]).double().cpu().numpy()
        predicted[name] = replace(windows[name], affect=values, attention=attention)
    return predicted


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


def _unanswered(windows: list[Window], models: Models, counted: Sequence[str] | None) -> list[str]:
    notes = []
    silent, count = sum(not window.sound for window in windows), len(windows)
    if silent and models.affect is not None:
        notes.append(f"no sound in {silent} of {count} windows, so no valence and arousal there")
    if models.takes_speaker_statistics and silent < count:
        what = "the models" if models.fusion_by_speaker else "valence and arousal"
        used = f"{count - silent} windows of this recording with sound, which must be of one speaker"
        if counted is not None:
            used = f"{len(counted)} windows of --speaker with sound"
        notes.append(f"{what} use statistics of the {used}; fewer than five say little")
    if models.fusions and (blank := sum(window.emotion is None for window in windows)) > 0:
        needed = "sound" if models.fusions[0].video is None else "picture"
        notes.append(f"no {needed} in {blank} of {count} windows, so no emotion there: the model has no other input")
    return notes
