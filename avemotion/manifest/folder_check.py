"""What a corpus folder holds against what the corpus should hold, before any media file is read."""

from collections import Counter
from pathlib import Path

import pandas as pd

from avemotion.manifest import summary
from avemotion.manifest.drafts import Draft
from avemotion.manifest.probe import LFS_POINTER

LONG = 30  # groups of a kind; of more than that, only the spread is shown
FIELDS = ("emotion", "speaker", "session", "part")


def report(draft: Draft, part_of: dict[str, str]) -> str:
    """Tables of clips found by emotion, speaker, session and partition, and of the splits, in words and numbers.

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
    if draft.rejects:
        lines.append(f"not used: {summary.reasons(draft.rejects)}")
    if faults := _file_faults(draft):
        lines.append("files: " + "; ".join(f"{count} x {fault}" for fault, count in faults.most_common()))
    return "\n".join(lines) + "\n"


def _completeness(draft: Draft) -> str:
    found = len(draft.listed)
    if draft.whole is None:
        return f"{found} clips"
    share = f"{found} of {draft.whole.clips} clips"
    if found < draft.whole.clips:
        return f"{share}, a partial copy"
    return f"{share}, whole" if found == draft.whole.clips else f"{share}, more than the corpus holds"


def _groups(draft: Draft, field: str) -> list[tuple]:
    """Rows (field, value, found, whole, missing); one row with the spread where there are very many."""
    found = Counter(str(value) for clip in draft.listed if (value := getattr(clip, field)) is not None)
    whole = draft.whole.groups.get(field, {}) if draft.whole else {}
    values = [*whole, *sorted(set(found) - set(whole))]
    if len(values) > LONG:
        return [(field, f"{len(found)} of them, {min(found.values())} to {max(found.values())} each", "", "", "")]
    if not whole:
        return [(field, value, found[value], "", "") for value in values]
    return [
        (field, value, found[value], whole.get(value, 0), max(0, whole.get(value, 0) - found[value]) or "")
        for value in values
    ]


def _file_faults(draft: Draft) -> Counter:
    """What is seen of files from outside: absent, empty, or pointers in place of media."""
    faults: Counter[str] = Counter()
    for path in sorted({path for path, _ in draft.media_files()}):
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
