"""Notes on the windows for which a model has no input."""

from collections.abc import Sequence

from avemotion.prediction.own_windows import Own
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Window


def notes(windows: Sequence[Window], models: Models, own: Own | None) -> list[str]:
    """Sentences on missing predictions of a recording, and on statistics that are those of its windows."""
    notes = []
    silent, count = sum(not window.sound for window in windows), len(windows)
    if silent and models.affect is not None:
        notes.append(f"no sound in {silent} of {count} windows, so no valence and arousal there")
    if models.takes_speaker_statistics and silent < count:
        what = "the models" if models.fusion_by_speaker else "valence and arousal"
        used = f"{count - silent} windows of this recording with sound, which must be of one speaker"
        if own is not None:
            used = f"{len(own.names)} windows of --speaker with sound"
        notes.append(f"{what} use statistics of the {used}; fewer than five say little")
    if models.fusions and (blank := sum(window.emotion is None for window in windows)) > 0:
        needed = "sound" if models.fusions[0].video is None else "picture"
        notes.append(f"no {needed} in {blank} of {count} windows, so no emotion there: the model has no other input")
    return notes
