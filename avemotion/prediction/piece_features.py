"""Features of the pieces of a recording, in memory, from the pipeline's extractors."""

from collections.abc import Sequence

import numpy as np

from avemotion.datasets.memory_store import MemoryStore
from avemotion.extraction import extraction
from avemotion.features.parts.sound import SoundExtractor
from avemotion.features.vision import VisionExtractor
from avemotion.formats.feature_store import CLEAN, Views
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.prediction.recording import HERE, Piece, Recording
from avemotion.prediction.trained_models import Models
from avemotion.system.media_error import MediaError
from avemotion.training.va.turn_embeddings import ROWS

VOICE = 60.0  # seconds of a recording behind its speaker embedding


def speaker(models: Models, recording: Recording) -> np.ndarray | None:
    """[1, S]: the speaker embedding of the first minute of a recording; None if no model uses one.

    Raises:
        ValueError: the recording has no sound, or its embedding is not finite.
    """
    if "speaker" not in models.extractors:
        return None
    if recording.waveform is None:
        raise ValueError(f"{recording.path}: no sound, so no speaker; give a recording of the voice")
    try:
        return speaker_of(models, recording.waveform)
    except MediaError as error:
        raise MediaError(recording.path, f"speaker embedding: {error.reason}") from error


def speaker_of(models: Models, waveform: np.ndarray) -> np.ndarray | None:
    """[1, S]: the speaker embedding of the first minute of a waveform [samples]; None if no model uses one.

    Raises:
        MediaError: it is not finite.
    """
    if "speaker" not in models.extractors:
        return None
    return _sound_rows(models, "speaker", "voice", waveform[: round(VOICE * SAMPLE_RATE)])[CLEAN][ROWS["speaker"]]


def extract(
    pieces: Sequence[Piece], models: Models, voice: np.ndarray | None = None
) -> tuple[dict[str, MemoryStore], list[str]]:
    """Features of pieces by kind, and notes on pieces without picture.

    Args:
        voice: speaker embedding of all pieces; None = each piece has its own.

    Raises:
        MediaError: a value of a piece is not finite; it names the piece, not the file.
    """
    notes: list[str] = []
    stores: dict[str, MemoryStore] = {}
    of_media_first = sorted(models.extractors, key=lambda kind: isinstance(models.extractors[kind], VisionExtractor))
    for kind in of_media_first:
        extractor = models.extractors[kind]
        rows: dict[str, Views | None] = {}
        for piece in pieces:
            if isinstance(extractor, VisionExtractor):
                rows[piece.name] = _embedded(extractor, stores["frames"], piece)
            elif extractor.modality == "video":
                rows[piece.name] = _frames(models, piece, notes)
            elif piece.waveform is None:
                rows[piece.name] = None
            elif kind == "speaker" and voice is not None:
                rows[piece.name] = {CLEAN: {ROWS[kind]: voice}}
            else:
                rows[piece.name] = _sound_rows(models, kind, piece.name, piece.waveform)
        stores[kind] = MemoryStore(rows, extractor.facts() | {"settings": models.settings[kind]})
    return stores, notes


def _sound_rows(models: Models, kind: str, name: str, waveform: np.ndarray) -> Views:
    extractor = models.extractors[kind]
    assert isinstance(extractor, SoundExtractor)
    return extractor.extract_waveform(name, waveform)[0]


def _embedded(extractor: VisionExtractor, frames: MemoryStore, piece: Piece) -> Views | None:
    if piece.name in frames.missing:
        return None
    views = extractor.of_frames(frames.get(piece.name, "frames"))
    extraction.refuse_not_finite(piece.name, views)
    return views


def _frames(models: Models, piece: Piece, notes: list[str]) -> Views | None:
    if piece.picture is None:
        return None
    span = f"from {piece.start:g} to {piece.end:g} s"
    try:
        [(views, counts)] = extraction.checked(models.extractors["frames"], [piece.picture], HERE)
    except MediaError as error:
        notes.append(f"no picture {span}: {error}")
        return None
    if counts.get("partly_decoded"):
        notes.append(f"{piece.picture.video}: some pictures {span} do not decode; those around them are used")
    return views
