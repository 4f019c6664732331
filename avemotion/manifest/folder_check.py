"""Compares a corpus folder with a complete copy of the corpus, without reading any media file."""

from collections import Counter
from pathlib import Path

import pandas as pd

from avemotion.manifest import summary
from avemotion.manifest.drafts import Draft
from avemotion.manifest.probe import LFS_POINTER
from avemotion.media.stills import file_of

LONG = 30  # groups of a field; with more of them, the report has only the range
FIELDS = ("emotion", "speaker", "session", "part")


def report(draft: Draft, part_of: dict[str, str]) -> str:
    """Numbers of clips by emotion, speaker, session and partition, and of the splits, as text.

    Args:
        part_of: clip id -> split or fold.
    """
    mark = " (synthetic)" if draft.synthetic else ""
    lines = [f"{draft.role}: {draft.corpus} at {draft.root}{mark}: {_completeness(draft)}"]
    rows = [row for field in FIELDS for row in _groups(draft, field)]
    if rows:
        table = pd.DataFrame(rows, columns=["", " ", "found", "whole", "missing"])
        lines.append(table.to_string(index=False, na_rep=""))
    frame = pd.DataFrame(
        {
            "speaker": [clip.speaker for clip in draft.clips],
            "label": [draft.label_of.get(clip.id) for clip in draft.clips],
            "split": [part_of[clip.id] for clip in draft.clips],
        }
    )
    lines += [f"{len(draft.clips)} clips of use as {draft.role}:", summary.by_split(frame, draft.classes)]
    if draft.role != "affect":
        lines += summary.untrained(frame, draft.classes)
    if draft.rejects:
        lines.append(f"left out or missing: {summary.reasons(draft.rejects)}")
    if faults := _file_faults(draft):
        lines.append("files: " + "; ".join(f"{count} x {fault}" for fault, count in faults.most_common()))
    return "\n".join(lines) + "\n"


def _completeness(draft: Draft) -> str:
    count = len(draft.listed)
    if draft.whole is None:
        return f"{count} clips"
    share = f"{count} of {draft.whole.clips} clips"
    if count < draft.whole.clips:
        return f"{share}, a partial copy"
    return f"{share}, whole" if count == draft.whole.clips else f"{share}, more than the corpus holds"


def _groups(draft: Draft, field: str) -> list[tuple]:
    """Rows (field, value, found, whole, missing); a single row with the range if there are more than LONG."""
    counts = Counter(str(value) for clip in draft.listed if (value := getattr(clip, field)) is not None)
    whole = draft.whole.groups.get(field, {}) if draft.whole else {}
    values = [*whole, *sorted(set(counts) - set(whole))]
    if len(values) > LONG:
        return [(field, f"{len(counts)} of them, {min(counts.values())} to {max(counts.values())} each", "", "", "")]
    if not whole:
        return [(field, value, counts[value], "", "") for value in values]
    return [
        (field, value, counts[value], whole.get(value, 0), max(0, whole.get(value, 0) - counts[value]) or "")
        for value in values
    ]


def _file_faults(draft: Draft) -> Counter:
    """Faults that show without decoding: missing and empty files, and git-lfs pointers in place of media."""
    faults: Counter[str] = Counter()
    for path in sorted({file_of(path) for path, _ in draft.media_files()}):
        if fault := _fault(path):
            faults[fault] += 1
    return faults


def _fault(path: Path) -> str | None:
    try:
        size = path.stat().st_size
        if size == 0:
            return "empty"
        if size < 1024:  # a pointer has about 130 bytes
            with path.open("rb") as stream:
                if stream.read(len(LFS_POINTER)) == LFS_POINTER:
                    return "git-lfs pointer, not the media itself (git lfs pull)"
    except (OSError, ValueError) as error:
        return f"cannot be opened ({getattr(error, 'strerror', None) or error})"
    return None
