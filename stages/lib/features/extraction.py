"""Clips -> a feature folder, in worker processes, resumable after a kill.

A finished clip is one file in a work folder outside the feature folder (which DVC deletes before a run). Its
name is made of what it was computed from: extractor and params, their source code, the clip's media. A clip
finished once is therefore not redone, and one finished under other conditions is not found.
"""

import hashlib
import os
import shutil
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
from stages.lib.features import store
from stages.lib.source_code import source_digest

PROBE = 5  # clips after which the time for the rest is estimated
WORKERS_PAY = 20.0  # seconds of work left; each worker imports torch and loads the model anew


class Extractor(Protocol):
    """A frozen dataclass: its repr, without fields of repr=False, is what the numbers depend on."""

    modality: Literal["audio", "video"]

    @property
    def views(self) -> list[str]:
        """Names of the views, the clean one first."""

    def facts(self) -> dict[str, Any]:
        """How it extracts, for the index."""

    def extract(self, clip: ClipMedia, root: Path) -> tuple[store.Views, dict[str, int]]:
        """Rows of every view, and counts of what was special about the clip (summed into the index)."""


def run(
    extractor: Extractor,
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
        work: where finished clips are kept until the folder is complete; removed at the end.

    Raises:
        ValueError: media that do not decode. The clips finished so far are kept.
    """
    clips = sorted(clips, key=lambda clip: clip.id)
    has_media = [clip for clip in clips if getattr(clip, extractor.modality)]
    folder = work / _key(extractor)
    folder.mkdir(parents=True, exist_ok=True)
    units = {clip.id: folder / f"{_fingerprint(clip, extractor.modality)}.npz" for clip in has_media}
    todo = [clip for clip in has_media if not units[clip.id].exists()]
    absent = f", {len(clips) - len(has_media)} without {extractor.modality}" if len(has_media) < len(clips) else ""
    kept = f", {len(has_media) - len(todo)} finished before" if len(todo) < len(has_media) else ""
    print(f"{label}: {len(clips)} clips{absent}{kept}")
    _extract_all(partial(_extract, extractor, root, folder), todo, compute, label)

    counts: Counter[str] = Counter()
    # The counts fill up while the clips are written.
    facts = extractor.facts() | {"settings": settings(extractor), "counts": counts}
    store.write(out, extractor.views, _finished(clips, units, counts), facts)
    shutil.rmtree(work)
    for name, count in sorted(counts.items()):
        if count:
            print(f"{label}: {name} {count} of {len(clips)}")
    return len(todo)


def settings(extractor: Extractor) -> dict[str, Any]:
    """What the extractor's numbers depend on, as plain values from which it can be built again."""
    where = {field.name for field in fields(extractor) if not field.repr}
    return {name: value for name, value in asdict(extractor).items() if name not in where}


def checked(extractor: Extractor, clip: ClipMedia, root: Path) -> tuple[store.Views, dict[str, int]]:
    """What extractor.extract returns.

    Raises:
        ValueError: media that do not decode, or a number that is not finite.
    """
    views, counts = extractor.extract(clip, root)
    for view, arrays in views.items():
        for name, rows in arrays.items():
            if rows.dtype.kind == "f" and not np.isfinite(rows).all():
                raise ValueError(
                    f"{clip.id}: {name} of view {view} is NaN or beyond {rows.dtype}; "
                    "look at the recording, or choose float32 where the params offer a dtype"
                )
    return views, counts


def _extract_all(
    extract: Callable[[ClipMedia], None], clips: Sequence[ClipMedia], compute: ComputeParams, label: str
) -> None:
    """Extract clip by clip in this process, in workers as soon as the rest is seen to be worth their start."""

    def alone() -> Iterator[int]:
        for done, clip in enumerate(clips, start=1):
            extract(clip)
            yield done
            if done == 1:
                began = time.perf_counter()  # after the first clip, which pays for imports and loading a model
            elif done > PROBE and compute.workers != 1:
                remaining = (time.perf_counter() - began) / (done - 1) * (len(clips) - done)
                if remaining > WORKERS_PAY:
                    return

    done = 0
    for done in progress(alone(), len(clips), label):  # noqa: B007 (how far it came)
        pass
    if done < len(clips):
        for _ in parallel(extract, clips[done:], compute, label):
            pass


def _extract(extractor: Extractor, root: Path, folder: Path, clip: ClipMedia) -> None:
    """Compute one clip and leave it in folder; whole or not at all."""
    views, counts = checked(extractor, clip, root)
    path = folder / f"{_fingerprint(clip, extractor.modality)}.npz"
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        arrays = {f"{view}/{name}": rows for view, arrays in views.items() for name, rows in arrays.items()}
        np.savez(file, **arrays, **{f"count/{name}": np.int64(count) for name, count in counts.items()})
    temporary.replace(path)


def _finished(
    clips: Sequence[ClipMedia], units: dict[str, Path], counts: Counter[str]
) -> Iterator[tuple[str, store.Views | None]]:
    """(id, views) of finished clips; adds up their counts on the way."""
    for clip in clips:
        if clip.id not in units:
            yield clip.id, None
            continue
        views: store.Views = {}
        with np.load(units[clip.id]) as unit:
            for key in unit.files:
                group, name = key.split("/")
                if group == "count":
                    counts[name] += int(unit[key])
                else:
                    views.setdefault(group, {})[name] = unit[key]
        yield clip.id, views


def _key(extractor: Extractor) -> str:
    """Changes with the extractor's params and with the source code that it is made of."""
    parts = [repr(extractor), source_digest(type(extractor).__module__)]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _fingerprint(clip: ClipMedia, modality: str) -> str:
    """Changes with the clip's media."""
    parts = [clip.id, getattr(clip, modality), getattr(clip, f"{modality}_hash")]
    if modality == "video":
        parts += [clip.video_start, clip.video_end, clip.video_crop]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
