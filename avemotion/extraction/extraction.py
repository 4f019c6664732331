"""Extracts the features of clips into a feature folder, in worker processes or on a cluster; a killed run resumes.

DVC deletes the feature folder before a run, so work in progress is in another folder. Its name is a key of the
extractor, its params and their source code. It has one file per finished clip of an incomplete run (units.py) and an
index of the last complete run (last_run.py). A finished clip is therefore not extracted again, unless params or code
have changed. Only one process at a time works on a folder; a second one waits for it.

A clip may fail: its file changed after the manifest, or has damage that the manifest does not detect. Such a clip
counts as one without this modality, and rejected.csv of the folder lists it. All other clips are extracted.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from avemotion.extraction import precision, units
from avemotion.extraction.last_run import Counts, LastRun
from avemotion.formats import feature_store
from avemotion.formats.clips import ClipMedia
from avemotion.formats.feature_store import Rejected
from avemotion.system.media_error import MediaError
from avemotion.system.memory import out_of_memory
from avemotion.system.outputs import alone
from avemotion.system.source_code import source_digest
from avemotion.system.workers import Compute, parallel, progress

PROBE = 5  # groups after which the time for the rest is estimated
UNUSED = Path("tmp/features")  # folder of the list of rejects if the stage stops because of them
SHOWN = 5  # rejects named in the log
WORKERS_PAY = 20.0  # remaining seconds that justify workers: each imports torch and loads the model


class Extractor(Protocol):
    """A frozen dataclass. The features depend on its repr, which leaves out fields with repr=False."""

    modality: Literal["audio", "video"]

    @property
    def views(self) -> list[str]:
        """Names of the views; the clean one is first."""

    def facts(self) -> dict[str, Any]:
        """Facts about the extraction, for the index."""

    def extract(self, clip: ClipMedia, root: Path) -> tuple[feature_store.Views, Counts]:
        """Rows of every view, and counts of special cases, which the index has as sums over clips."""


class GroupExtractor(Extractor, Protocol):
    """An extractor that computes several clips at once. The grouping changes no byte."""

    def group(self) -> int:
        """Number of clips at once."""

    def extract_group(self, clips: Sequence[ClipMedia], root: Path) -> list[tuple[feature_store.Views, Counts]]:
        """The result of `extract` for each clip."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders of an extraction."""

    root: Path  # of the corpus; the paths of clips are relative to it
    out: Path  # the feature folder, <kind>/<role>
    work: Path  # of finished clips until the feature folder is complete

    @property
    def label(self) -> str:
        """Name for the log and the progress bar."""
        return f"features {self.out.parent.name} {self.out.name}"


def run(
    extractor: Extractor | GroupExtractor,
    clips: Sequence[ClipMedia],
    places: Places,
    compute: Compute,
    max_rejected: float,
) -> int:
    """Extract all clips into places.out; returns the number of clips extracted in this run.

    Args:
        max_rejected: largest share of the clips with this modality that may fail.

    Raises:
        ValueError: more clips fail.
        OSError: no space left, or no permission. The finished clips are kept in both cases.
    """
    root, out, work, label = places.root, places.out, places.work, places.label
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
        extract = partial(_extract, extractor, root, folder / "units")
        rejected = _extract_all(extract, _groups(todo, extractor), compute, label)
        _limit(rejected, len(media), max_rejected, label)

        counts: dict[str, Counts] = {}
        total: Counter[str] = Counter()
        facts = extractor.facts() | {
            # pinned: a model by the commit that its name stands for now
            "settings": settings(extractor.pinned() if hasattr(extractor, "pinned") else extractor),
            "counts": {},
        }  # counts: filled while clips are written

        def rows() -> Iterator[tuple[str, feature_store.Views | None]]:
            for clip in clips:
                if clip.id not in media or clip.id in rejected:
                    yield clip.id, None
                    continue
                views, counts[clip.id] = last.read(clip.id) if clip.id in unchanged else units.read(files[clip.id])
                total.update(counts[clip.id])
                yield clip.id, views
            facts["counts"] |= {name: total[name] for name in total if not precision.is_sum(name)}
            facts["rounding"] = precision.errors(total)

        feature_store.write(out, extractor.views, rows(), facts, rejected)
        last.remember(counts)
        units.drop(work)
    units_of = {name: name.partition("_")[0] for name in facts["counts"] if "_" in name}
    for name, count in sorted(facts["counts"].items()):
        of = facts["counts"].get(units_of.get(name))  # frames_with_face: of the count `frames`; others: of all clips
        if (count or of) and name not in units_of.values():
            print(f"{label}: {name} {count} of {of or len(clips)}")
    for clip, (path, reason) in sorted(rejected.items())[:SHOWN]:
        print(f"{label}: without {extractor.modality}: {clip} ({path}: {reason})")
    if len(rejected) > SHOWN:
        print(f"{label}: and {len(rejected) - SHOWN} more in {out / feature_store.REJECTED}")
    return len(todo) - len(rejected)


def _limit(rejected: Rejected, clips: int, share: float, label: str) -> None:
    """Stop if the share of rejected clips is larger than allowed."""
    if rejected and (len(rejected) > share * clips or len(rejected) == clips):
        listing = UNUSED / f"{label.replace(' ', '_')}.csv"
        feature_store.write_rejected(listing, rejected)
        path, reason = rejected[min(rejected)]
        raise ValueError(
            f"{label}: {len(rejected)} of {clips} clips cannot be extracted ({len(rejected) / clips:.1%}; "
            f"manifest.max_rejected is {share:g}), such as {path}: {reason}. See {listing}; if files have changed "
            "since, run `dvc repro manifest`; otherwise repair them, or raise manifest.max_rejected"
        )


def _groups(clips: Sequence[ClipMedia], extractor: Extractor | GroupExtractor) -> list[list[ClipMedia]]:
    """Clips computed together: of similar length, the longest first, so that the last groups to end are short."""
    size = extractor.group() if hasattr(extractor, "group") else 1
    if size > 1:
        clips = sorted(clips, key=lambda clip: (-clip.duration, clip.id))
    return [list(clips[start : start + size]) for start in range(0, len(clips), size)]


def settings(extractor: Extractor) -> dict[str, Any]:
    """The fields that the features depend on, as plain values; `restore` builds the extractor from them."""
    hidden = {field.name for field in fields(extractor) if not field.repr}
    return {name: value for name, value in asdict(extractor).items() if name not in hidden}


def checked(
    extractor: Extractor | GroupExtractor, clips: Sequence[ClipMedia], root: Path
) -> list[tuple[feature_store.Views, Counts]]:
    """The result of extractor.extract for each clip, checked.

    Raises:
        MediaError: media do not decode, or a value is not finite.
    """
    extracted = extractor.extract_group(clips, root) if len(clips) > 1 else [extractor.extract(clips[0], root)]
    for clip, (views, _) in zip(clips, extracted, strict=True):
        refuse_not_finite(clip.id, views)
    return extracted


def refuse_not_finite(clip: str, views: feature_store.Views) -> None:
    """Raises MediaError if a value in a clip's rows is not finite."""
    for view, arrays in views.items():
        for name, rows in arrays.items():
            if rows.dtype.kind == "f" and not np.isfinite(rows).all():
                raise MediaError(
                    clip,
                    f"{name} of view {view} is NaN or beyond {rows.dtype}; look at the recording, or choose "
                    "float32 where the params offer a dtype",
                )


def _extract_all(
    extract: Callable[[list[ClipMedia]], Rejected],
    groups: Sequence[list[ClipMedia]],
    compute: Compute,
    label: str,
) -> Rejected:
    """Extract in this process, and in workers as soon as the estimated rest takes longer than WORKERS_PAY."""
    rejected: Rejected = {}

    def in_this_process() -> Iterator[int]:
        for done, group in enumerate(groups, start=1):
            rejected.update(extract(group))
            yield done
            if done == 1:
                began = time.perf_counter()  # after the first group, whose time includes imports and loading a model
            elif done > PROBE and compute.workers != 1:
                remaining = (time.perf_counter() - began) / (done - 1) * (len(groups) - done)
                if remaining > WORKERS_PAY:
                    return

    done = 0
    if compute.engine == "local":
        for done in progress(in_this_process(), len(groups), label):  # noqa: B007 (the number of finished groups)
            pass
    if done < len(groups):
        for failed in parallel(extract, groups[done:], compute, label):
            rejected.update(failed)
    return rejected


def _extract(extractor: Extractor | GroupExtractor, root: Path, folder: Path, clips: list[ClipMedia]) -> Rejected:
    """Extract clips into folder; returns those that fail."""
    try:
        extracted = checked(extractor, clips, root)
    except MediaError as error:
        if out_of_memory(error):
            raise  # no fault of the file
        if len(clips) == 1:
            return {clips[0].id: (getattr(clips[0], extractor.modality), error.reason)}
        one_by_one = [_extract(extractor, root, folder, [clip]) for clip in clips]  # to identify the failing ones
        return {clip: reason for failed in one_by_one for clip, reason in failed.items()}
    for clip, (views, counts) in zip(clips, extracted, strict=True):
        units.save(folder / f"{units.media_key(clip, extractor.modality)}.npz", views, counts)
    return {}


def _key(extractor: Extractor) -> str:
    """A digest of the extractor's params and source code."""
    parts = [repr(extractor), source_digest(type(extractor).__module__)]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
