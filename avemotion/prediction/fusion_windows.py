"""The fusion models on the windows of a recording, a batch at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from avemotion.datasets.audio_features import AudioSource
from avemotion.datasets.clip_batches import ClipDataset, Source
from avemotion.datasets.memory_store import MemoryStore
from avemotion.datasets.vision_rows import video_source
from avemotion.params.training.audio import feature_kind
from avemotion.prediction.no_sound import silent
from avemotion.prediction.own_windows import Speaker
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Attention, Window
from avemotion.training.emotion import audio_input, classifier
from avemotion.training.fusion import fusion_exports
from avemotion.training.va.fusion_inputs import fusion_prosody

BATCH = 16  # windows at a time


def with_emotion(
    windows: dict[str, Window], models: Models, stores: Mapping[str, MemoryStore], speaker: Speaker
) -> dict[str, Window]:
    """The windows with emotion, gate and attention of the fusion models, where there is a modality that these take.

    Args:
        windows: by the name of their piece. stores: features of the pieces by kind, and of the windows behind the
            statistics of the speaker.
    """
    of_video = models.fusions[0].video
    takes_audio, takes_video = models.fusions[0].audio is not None, of_video is not None
    ids = [name for name, w in windows.items() if (takes_audio and w.sound) or (takes_video and w.picture)]
    if not ids:
        return windows
    audio = _audio_source(ids, models, stores, speaker) if takes_audio else None
    video = None if of_video is None else video_source(of_video, stores)
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
    store, model = stores[feature_kind(models.audio["encoder"])], models.fusions[0].audio
    assert model is not None
    if store.arrays:
        by_speaker = models.fusion_by_speaker, speaker.of(ids), speaker.counted
        return audio_input.new_source(models.audio, store, *by_speaker)
    return silent(model)


def _profiles(maps: list[dict[str, torch.Tensor]], clip: str, start: float) -> Attention:
    """Mean over folds and over queries; times from the recording's start."""
    profiles = {}
    for name, times in (("video_to_audio", "audio_times"), ("audio_to_video", "video_times")):
        if maps:
            weights = torch.stack([of[f"{clip}/{name}"].mean(0) for of in maps]).mean(0)
            profiles[name] = maps[0][f"{clip}/{times}"].numpy() + start, weights.numpy()
    return profiles
