"""What the trained models say of a recording, window by window.

Shapes: C classes, F folds of the V/A models, T audio steps, N frames.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from stages.lib.data.audio import AudioSource
from stages.lib.data.clips import ClipMedia
from stages.lib.data.dataset import ClipDataset, Source
from stages.lib.data.turns import TurnDataset, collate_turns
from stages.lib.data.video import FrameSource
from stages.lib.features import extraction, store
from stages.lib.features.extraction import Extractor
from stages.lib.features.store import CLEAN, FeatureStore
from stages.lib.media.audio import SAMPLE_RATE
from stages.lib.prediction import recording as recordings
from stages.lib.prediction.models import Models
from stages.lib.prediction.recording import Recording
from stages.lib.training import emotion, exports
from stages.lib.training.streaming import Session
from stages.lib.training.turns import ROWS, embed_turns

BATCH = 16  # windows at a time
VOICE = 60.0  # seconds of a recording that its speaker embedding is made of
ROLE = "affect"  # under which the windows' features lie, as turns do


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of a recording; None where the models cannot tell, for want of sound or picture."""

    start: float  # seconds
    end: float
    sound: bool
    picture: bool
    emotion: np.ndarray | None = None  # [C] probabilities; the mean over folds where the fusion has folds
    gate: float | None = None  # share of audio
    affect: np.ndarray | None = None  # [F, 2] valence and arousal by the model of each fold
    # name -> (seconds from the recording's start, weights that sum to 1), mean over what attends:
    # video_to_audio and prosody_to_speech over audio steps, audio_to_video over frames
    attention: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    recording: Recording
    windows: list[Window]
    notes: list[str]

    @property
    def emotion(self) -> np.ndarray | None:
        """[C], the mean over the windows' seconds."""
        return self._mean([window.emotion for window in self.windows])

    @property
    def affect(self) -> np.ndarray | None:
        """[F, 2], the mean over the windows' seconds."""
        return self._mean([window.affect for window in self.windows])

    def _mean(self, values: list[np.ndarray | None]) -> np.ndarray | None:
        known = [(value, w.end - w.start) for value, w in zip(values, self.windows, strict=True) if value is not None]
        return np.average([v for v, _ in known], axis=0, weights=[s for _, s in known]) if known else None


@torch.inference_mode()
def predict(
    recording: Recording, models: Models, *, window: float, hop: float, voice: np.ndarray | None = None
) -> Prediction:
    """Emotion, valence and arousal of every window of a recording.

    Args:
        window, hop: seconds; see recording.spans.
        voice: [1, S] speaker embedding of the one who speaks; None = of the recording itself.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clips = recordings.cut(recording, recordings.spans(recording.seconds, window, hop), folder)
        if voice is None and recording.waveform is not None:
            voice = speaker(models, recording)
        notes = extract(clips, models, folder, voice)
        found = predict_clips(clips, models, folder)
    starts = [start for start, _ in recordings.spans(recording.seconds, window, hop)]
    placed = [_placed(found[clip.id], start) for clip, start in zip(clips, starts, strict=True)]
    return Prediction(recording=recording, windows=placed, notes=[*notes, *_unanswered(placed, models)])


def speaker(models: Models, recording: Recording) -> np.ndarray | None:
    """[1, S]: the speaker embedding of the first minute of a recording; None where no model asks for one.

    Raises:
        ValueError: no sound in it.
    """
    if "speaker" not in models.extractors:
        return None
    if recording.waveform is None:
        raise ValueError(f"{recording.path}: no sound, so no speaker; give a recording of the voice")
    with tempfile.TemporaryDirectory() as folder:
        name = recordings.write_sound(Path(folder) / "voice.wav", recording.waveform[: round(VOICE * SAMPLE_RATE)])
        clip = _clip("voice", name)
        return extraction.checked(models.extractors["speaker"], [clip], Path(folder))[0][0][CLEAN][ROWS["speaker"]]


def extract(clips: Sequence[ClipMedia], models: Models, folder: Path, voice: np.ndarray | None = None) -> list[str]:
    """Features of clips in folder/<kind>/affect, by the extractors of the pipeline; returns what went wrong.

    Args:
        clips: sorted by id, media below folder (or absolute).
        voice: takes the place of every clip's own speaker embedding.
    """
    notes: list[str] = []

    def rows(kind: str, extractor: Extractor) -> Iterator[tuple[str, store.Views | None]]:
        for clip in clips:
            views = None
            if kind == "speaker" and voice is not None:
                views = {CLEAN: {ROWS[kind]: voice}} if clip.audio else None
            elif getattr(clip, extractor.modality):
                try:
                    [(views, _)] = extraction.checked(extractor, [clip], folder)
                except ValueError as error:
                    if extractor.modality == "audio":
                        raise
                    notes.append(f"no picture in a window: {error}")  # a film may end before its header says so
            yield clip.id, views

    for kind, extractor in models.extractors.items():
        facts = extractor.facts() | {"settings": models.settings[kind]}
        store.write(folder / kind / ROLE, [CLEAN], rows(kind, extractor), facts)
    return notes


def predict_clips(clips: Sequence[ClipMedia], models: Models, folder: Path) -> dict[str, Window]:
    """Clips of one recording in time order, whose features `extract` left in folder; times are from a clip's start."""
    caches = {kind: FeatureStore(folder / kind / ROLE) for kind in models.extractors}
    blank = set(caches["frames"].missing) if "frames" in caches else {clip.id for clip in clips if not clip.video}
    found = {
        clip.id: Window(
            start=0.0, end=clip.duration, sound=bool(clip.audio), picture=clip.id not in blank, attention={}
        )
        for clip in clips
    }
    found = _emotion(found, models, caches)
    return _affect(found, models, folder) if models.va else found


def _emotion(windows: dict[str, Window], models: Models, caches: dict[str, FeatureStore]) -> dict[str, Window]:
    hears, sees = models.fusions[0].audio is not None, models.fusions[0].video is not None
    ids = [name for name, w in windows.items() if (hears and w.sound) or (sees and w.picture)]
    if not ids:
        return windows
    audio = _audio_source(models, caches) if hears else None
    video = FrameSource(caches["frames"]) if sees else None
    dataset = ClipDataset(ids, torch.zeros(len(ids), dtype=torch.long), audio, video)
    made = dict(windows)
    for batch in emotion.batches(dataset, BATCH, models.device):
        outputs = [model(*batch.inputs) for model in models.fusions]
        shares = torch.stack([output.probabilities for output in outputs]).mean(0).cpu().numpy()
        gates = None
        if outputs[0].gate is not None:
            gates = torch.stack([output.gate for output in outputs]).float().mean(0).tolist()
        attention: list[dict] = []
        if outputs[0].video_to_audio is not None and caches["frames"].arrays:
            hop = audio.store.facts["hop_seconds"] if isinstance(audio, AudioSource) else 0.0
            attention = [exports.attention_maps(batch, output, hop, caches["frames"]) for output in outputs]
        for i, name in enumerate(batch.ids):
            both = windows[name].sound and windows[name].picture
            made[name] = replace(
                windows[name],
                emotion=shares[i].astype(float),
                gate=None if gates is None else gates[i],
                attention=_profiles(attention, name) if both else {},
            )
    return made


def _audio_source(models: Models, caches: dict[str, FeatureStore]) -> Source:
    encoder, model = models.audio["encoder"], models.fusions[0].audio
    cache = caches["wavlm" if encoder == "wavlm" else "mel"]
    if cache.arrays:
        return AudioSource(cache, encoder, bool(models.audio.get("unfreeze_layers")))
    size = model.dim if encoder == "wavlm" else len(model.normalize.mean)
    return lambda clip, epoch: (torch.zeros(1, size), 0)  # no window has sound


def _profiles(maps: list[dict[str, torch.Tensor]], clip: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean over folds and over what attends."""
    profiles = {}
    for name, times in (("video_to_audio", "audio_times"), ("audio_to_video", "video_times")):
        if maps:
            weights = torch.stack([of[f"{clip}/{name}"].mean(0) for of in maps]).mean(0)
            profiles[name] = maps[0][f"{clip}/{times}"].numpy(), weights.numpy()
    return profiles


def _affect(windows: dict[str, Window], models: Models, folder: Path) -> dict[str, Window]:
    """Turn by turn with the state carried on, each fold's model by itself."""
    ids = [name for name, window in windows.items() if window.sound]
    if not ids:
        return windows
    turns = _turns(ids, models, folder)
    sessions = {fold: Session(model) for fold, model in models.va.items()}
    hop, made = next(iter(turns.values())).store.facts["hop_seconds"], dict(windows)
    for i, name in enumerate(ids):
        heard = {fold: collate_turns([dataset[None, i]]).inputs for fold, dataset in turns.items()}
        outputs = [session(**heard[fold]) for fold, session in sessions.items()]
        attention = dict(windows[name].attention)
        if outputs[0].attention is not None:
            weights = torch.cat([output.attention for output in outputs]).float().mean(0).cpu().numpy()
            attention["prosody_to_speech"] = (np.arange(len(weights)) + 0.5) * hop, weights
        told = torch.cat([output.prediction for output in outputs]).double().cpu().numpy()
        made[name] = replace(windows[name], affect=told, attention=attention)
    return made


def _turns(ids: Sequence[str], models: Models, folder: Path) -> dict[int, TurnDataset]:
    """What the V/A model of each fold hears and sees of the windows, computed once for each fusion model."""
    made: dict[int, TurnDataset] = {}
    for fold, inputs in models.inputs.items():
        shared = next((other for other in made if models.inputs[other] is inputs), None)
        if shared is None:
            turns = folder / "turns" / str(fold)
            embed_turns(inputs, ids, turns, models.device, folder)
            made[fold] = TurnDataset(FeatureStore(turns), ids, torch.full((len(ids), 2), torch.nan))
        else:
            made[fold] = made[shared]
    return made


def _placed(window: Window, start: float) -> Window:
    """The window that begins at start."""
    moved = {name: (times + start, weights) for name, (times, weights) in window.attention.items()}
    return replace(window, start=start, end=window.end + start, attention=moved)


def _unanswered(windows: list[Window], models: Models) -> list[str]:
    told = []
    silent, count = sum(not window.sound for window in windows), len(windows)
    if silent and models.affect is not None:
        told.append(f"no sound in {silent} of {count} windows, so no valence and arousal there")
    if (blank := sum(window.emotion is None for window in windows)) > 0:
        needed = "sound" if models.fusions[0].video is None else "picture"
        told.append(f"no {needed} in {blank} of {count} windows, so no emotion there: the model takes nothing else")
    return told


def _clip(name: str, audio: str) -> ClipMedia:
    nothing = dict.fromkeys(("video", "video_start", "video_end", "video_crop", "audio_hash", "video_hash"))
    return ClipMedia(id=name, audio=audio, duration=0.0, **nothing)
