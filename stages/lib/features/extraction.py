"""Clips -> a feature folder, in worker processes or on a cluster, resumable after a kill.

Work in progress lies outside the feature folder (which DVC deletes before a run), below a key of what it is computed
from: extractor and params, and their source code. There, a file a clip finished by a run that did not end (units.py)
and what is known of the last whole run (last_run.py). A clip finished once is therefore not redone, and one finished
under other conditions is not found. One process at a time works on a folder; a second one waits for it.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from stages.lib.compute import ComputeParams, parallel, progress
from stages.lib.data.clips import ClipMedia
from stages.lib.features import precision, store, units
from stages.lib.features.last_run import Counts, LastRun
from stages.lib.outputs import alone
from stages.lib.source_code import source_digest

PROBE = 5  # groups after which the time for the rest is estimated
WORKERS_PAY = 20.0  # seconds of work left; each worker imports torch and loads the model anew


class Extractor(Protocol):
    """A frozen dataclass: its repr, without fields of repr=False, is what the numbers depend on."""

    modality: Literal["audio", "video"]

    @property
    def views(self) -> list[str]:
        """Names of the views, the clean one first."""

    def facts(self) -> dict[str, Any]:
        """How it extracts, for the index."""

    def extract(self, clip: ClipMedia, root: Path) -> tuple[store.Views, Counts]:
        """Rows of every view, and counts of what was special about the clip (summed into the index)."""


class GroupExtractor(Extractor, Protocol):
    """One that computes several clips at once. Which ones are together changes no byte."""

    def group(self) -> int:
        """How many."""

    def extract_group(self, clips: Sequence[ClipMedia], root: Path) -> list[tuple[store.Views, Counts]]:
        """As `extract`, for each clip."""


def run(
    extractor: Extractor | GroupExtractor,
    clips: Sequence[ClipMedia],
    *,
    root: Path,
    out: Path,
    work: Path,
    compute: ComputeParams,
    label: str,
) -> int:
    """Extract all clips into the folder out; returns how many were computed now rather than found finished.

    Args:
        root: the corpus root, which clips' paths are relative to.
        work: where finished clips are kept until the folder is complete.

    Raises:
        ValueError: media that do not decode.
        OSError: no space left, or no permission. The clips finished so far are kept, in either case.
    """
    clips = sorted(clips, key=lambda clip: clip.id)
    media = {clip.id: units.media_key(clip, extractor.modality) for clip in clips if getattr(clip, extractor.modality)}
    with alone(label, work / "lock"):
        folder = work / _key(extractor)
        files = {clip: folder / "units" / f"{key}.npz" for clip, key in media.items()}
        finished = {clip for clip, file in files.items() if file.is_file()}
        last = LastRun(folder, out, media)
        unchanged = last.find(media.keys() - finished)
        todo = [clip for clip in clips if clip.id in media and clip.id not in finished | unchanged]
        parts = {f"without {extractor.modality}": len(clips) - len(media), "finished before": len(finished)}
        parts |= {"unchanged": len(unchanged), "to extract": len(todo)}
        print(f"{label}: {len(clips)} clips" + "".join(f", {n} {what}" for what, n in parts.items() if n), flush=True)
        _extract_all(partial(_extract, extractor, root, folder / "units"), _groups(todo, extractor), compute, label)

        counts: dict[str, Counts] = {}
        total: Counter[str] = Counter()
        facts = extractor.facts() | {
            "settings": settings(extractor),
            "counts": {},
        }  # filled while the clips are written

        def rows() -> Iterator[tuple[str, store.Views | None]]:
            for clip in clips:
                if clip.id not in media:
                    yield clip.id, None
                    continue
                views, counts[clip.id] = last.read(clip.id) if clip.id in unchanged else units.read(files[clip.id])
                total.update(counts[clip.id])
                yield clip.id, views
            facts["counts"] |= {name: total[name] for name in total if not precision.is_sum(name)}
            facts["rounding"] = precision.errors(total)

        store.write(out, extractor.views, rows(), facts)
        last.remember(counts)
        units.drop(work)
    for name, count in sorted(facts["counts"].items()):
        if count:
            print(f"{label}: {name} {count} of {len(clips)}")
    return len(todo)


def _groups(clips: Sequence[ClipMedia], extractor: Extractor | GroupExtractor) -> list[list[ClipMedia]]:
    """Clips computed together: of like length, the longest first, so that the last ones to end are short."""
    size = extractor.group() if hasattr(extractor, "group") else 1
    if size > 1:
        clips = sorted(clips, key=lambda clip: (-clip.duration, clip.id))
    return [list(clips[start : start + size]) for start in range(0, len(clips), size)]


def settings(extractor: Extractor) -> dict[str, Any]:
    """What the extractor's numbers depend on, as plain values from which it can be built again."""
    where = {field.name for field in fields(extractor) if not field.repr}
    return {name: value for name, value in asdict(extractor).items() if name not in where}


def checked(
    extractor: Extractor | GroupExtractor, clips: Sequence[ClipMedia], root: Path
) -> list[tuple[store.Views, Counts]]:
    """What extractor.extract returns, for each clip.

    Raises:
        ValueError: media that do not decode, or a number that is not finite.
    """
    found = extractor.extract_group(clips, root) if len(clips) > 1 else [extractor.extract(clips[0], root)]
    for clip, (views, _) in zip(clips, found, strict=True):
        for view, arrays in views.items():
            for name, rows in arrays.items():
                if rows.dtype.kind == "f" and not np.isfinite(rows).all():
                    raise ValueError(
                        f"{clip.id}: {name} of view {view} is NaN or beyond {rows.dtype}; "
                        "look at the recording, or choose float32 where the params offer a dtype"
                    )
    return found


def _extract_all(
    extract: Callable[[list[ClipMedia]], None], groups: Sequence[list[ClipMedia]], compute: ComputeParams, label: str
) -> None:
    """Group by group in this process, in workers as soon as the rest is seen to be worth their start."""

    def alone() -> Iterator[int]:
        for done, group in enumerate(groups, start=1):
            extract(group)
            yield done
            if done == 1:
                began = time.perf_counter()  # after the first group, which pays for imports and loading a model
            elif done > PROBE and compute.workers != 1:
                remaining = (time.perf_counter() - began) / (done - 1) * (len(groups) - done)
                if remaining > WORKERS_PAY:
                    return

    done = 0
    if compute.engine == "local":
        for done in progress(alone(), len(groups), label):  # noqa: B007 (how far it came)
            pass
    if done < len(groups):
        for _ in parallel(extract, groups[done:], compute, label):
            pass


def _extract(extractor: Extractor | GroupExtractor, root: Path, folder: Path, clips: list[ClipMedia]) -> None:
    """Compute clips and leave them in folder."""
    for clip, (views, counts) in zip(clips, checked(extractor, clips, root), strict=True):
        units.save(folder / f"{units.media_key(clip, extractor.modality)}.npz", views, counts)


def _key(extractor: Extractor) -> str:
    """Changes with the extractor's params and with the source code that it is made of."""
    parts = [repr(extractor), source_digest(type(extractor).__module__)]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
