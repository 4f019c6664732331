"""The fusion models from waveform and frames to probabilities, for one clip."""

from typing import Any

import torch
from torch import Tensor, nn

from avemotion.export.onnx_file import Graph, Port, Span
from avemotion.export.sound_graphs import LogMel, SpeechStates
from avemotion.models.encoders.frame_sequence import FrameGRU
from avemotion.models.fusion.base import Fusion, FusionOutput
from avemotion.params.training.audio import feature_kind
from avemotion.prediction.trained_models import Models
from avemotion.training.emotion import audio_input

FRAMES = 64  # most frames of a clip


class Clip(nn.Module):
    """The inputs of a fusion model for one clip, from waveform [S] and frames [N, 3, H, W]."""

    def __init__(self, models: Models, fusion: Fusion, audio: dict[str, Any] | None, speech: SpeechStates | None):
        """
        Args:
            audio: arguments of the audio encoder; None = the fusion has none.
            speech: shared with other parts of the graph; None = WavLM is no part of it.

        Raises:
            ValueError: an input is standardised by the speaker's other clips, or is the output of an image encoder; or
                frames pass through a GRU.
        """
        super().__init__()
        if models.fusion_by_speaker:
            raise ValueError(
                f"the fusion model takes {', '.join(models.fusion_by_speaker)} standardised by all clips of a speaker, "
                "which a graph of one clip does not have; train with normalise: corpus"
            )
        if fusion.video is not None and fusion.video.feature != "frames":
            raise ValueError(
                "video.encoder is vision, whose image encoder is no part of the graph; train with video.encoder: face "
                "or resnet18 to export"
            )
        if fusion.video is not None and isinstance(fusion.video.temporal, FrameGRU):
            raise ValueError(
                "video.temporal is gru, which torch's exporter cannot write for any number of frames; train with "
                "video.temporal: conv or transformer to export"
            )
        self.takes_audio, self.takes_video = fusion.audio is not None, fusion.video is not None
        self.speech, self.mel = None, None
        if audio is not None and feature_kind(audio["encoder"]) == "mel":
            self.mel = LogMel(models.settings["mel"])
        elif audio is not None:
            self.speech, self.arrays = speech, audio_input.arrays(audio)
        source = self.mel or self.speech
        self.ports = [] if source is None else [waveform_port(source.span)]
        if self.takes_audio and self.takes_video:
            self.ports.append(Port(name="has_sound", shape=(), boolean=True, meaning="False: no sound; give zeros"))
        if self.takes_video:
            size = models.settings["frames"]["params"]["size"]
            frames = Span(name="frames", low=1, high=FRAMES, example=models.settings["frames"]["params"]["count"])
            meaning = "RGB in 0..1, uniformly spaced over the clip, cut to the face"
            self.ports.append(Port(name="frames", shape=(frames, 3, size, size), meaning=meaning))
        if self.takes_audio and self.takes_video:
            self.ports.append(Port(name="has_picture", shape=(), boolean=True, meaning="False: no picture; give zeros"))
        self.takes_prosody = fusion.prosody is not None
        if fusion.prosody is not None:
            self.ports.append(prosody_port(len(fusion.prosody.standardize.mean)))

    def forward(self, given: dict[str, Tensor], states: dict[str, Tensor] | None = None) -> tuple[Tensor, ...]:
        """Inputs by name, WavLM's states (None: computed here) -> arguments of a fusion model."""
        nothing = torch.zeros(1, 1, 1), torch.zeros(1, 1, dtype=torch.bool)
        audio, audio_mask = nothing
        if self.mel is not None:
            audio, audio_mask = self.mel(given["waveform"])
        elif self.speech is not None:
            states = states or self.speech(given["waveform"])
            audio = states[self.arrays[-1]]
            if len(self.arrays) > 1:
                audio = torch.cat([states["layers"], audio.unsqueeze(2)], 2)
            audio_mask = torch.ones(audio.shape[:2], dtype=torch.bool)
        video, video_mask = nothing
        if self.takes_video:
            video = given["frames"][None]
            video_mask = torch.ones(video.shape[:2], dtype=torch.bool)
        if self.takes_audio and self.takes_video:
            audio_mask = audio_mask & given.get("has_sound", torch.tensor(True))
            video_mask = video_mask & given["has_picture"]
        both = audio, audio_mask, video, video_mask
        return (*both, given["prosody"][None]) if self.takes_prosody else both


class FusionGraph(Graph):
    """Probabilities of the emotions, and the share of audio; with a model for each fold, their means."""

    def __init__(self, models: Models):
        """
        Raises:
            ValueError: as SpeechStates and Clip.
        """
        super().__init__()
        self.fusions, self.temperatures = nn.ModuleList(models.fusions), models.temperatures
        wavlm = models.audio is not None and feature_kind(models.audio["encoder"]) == "wavlm"
        speech = SpeechStates(models.settings["wavlm"]) if wavlm else None
        self.clip = Clip(models, models.fusions[0], models.audio, speech)
        self.inputs = self.clip.ports
        meaning = f"probabilities of {', '.join(models.classes)}"
        self.outputs = [Port(name="probabilities", shape=(len(models.classes),), meaning=meaning)]
        if getattr(models.fusions[0], "gate", None) is not None:
            self.outputs.append(Port(name="audio_share", shape=(), meaning="weight of audio in the gate, 0 to 1"))
        self.eval()

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name -> probabilities [C], audio_share []."""
        clip = self.clip(given)
        results: list[FusionOutput] = [fusion(*clip) for fusion in self.fusions]
        pairs = zip(results, self.temperatures, strict=True)
        found = {"probabilities": torch.stack([of.probabilities(t)[0] for of, t in pairs]).mean(0)}
        gates = [of.gate[0] for of in results if of.gate is not None]
        return found | ({"audio_share": torch.stack(gates).mean(0)} if gates else {})


def prosody_port(size: int) -> Port:
    """The input of prosody."""
    return Port(name="prosody", shape=(size,), meaning="functionals of the sound; see preprocessing.json")


def waveform_port(span: Span) -> Port:
    """The input of sound."""
    return Port(name="waveform", shape=(span,), meaning="mono at 16 kHz, full scale 1")
