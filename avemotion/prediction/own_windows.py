"""Windows of other recordings of a speaker, whose statistics standardise the inputs of models that take them so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from avemotion.datasets.memory_store import MemoryStore
from avemotion.prediction import recording as recordings
from avemotion.prediction.piece_features import extract
from avemotion.prediction.recording import Recording
from avemotion.prediction.trained_models import Models


@dataclass(frozen=True)
class Speaker:
    """The one speaker of a recording; counted: names of the windows behind his or her statistics."""

    counted: list[str]

    def of(self, ids: Sequence[str]) -> dict[str, str]:
        """Window -> speaker, of these windows and of those behind the statistics."""
        return dict.fromkeys([*ids, *self.counted], "")


@dataclass(frozen=True, kw_only=True)
class Own:
    """Features of these windows by kind, and the names of those with sound."""

    stores: dict[str, MemoryStore]
    names: list[str]


def own_windows(
    files: Iterable[Recording], models: Models, *, window: float, hop: float, voice: np.ndarray | None
) -> Own | None:
    """The windows of a speaker's recordings; None where no model uses statistics of a speaker.

    Args:
        window, hop, voice: as for windows.predict.

    Raises:
        ValueError: no window has sound.
        MediaError: a value of a window is not finite.
    """
    if not models.takes_speaker_statistics:
        return None
    pieces = [
        replace(piece, name=f"speaker/{i}/{piece.name}")
        for i, file in enumerate(files)
        for piece in recordings.cut(file, recordings.spans(file.seconds, window, hop))
    ]
    names = [piece.name for piece in pieces if piece.waveform is not None]
    if not names:
        raise ValueError("--speaker: no recording has sound, so there are no statistics of the speaker")
    return Own(stores=extract(pieces, models, voice)[0], names=names)
