"""Finished clips of an incomplete run: one file per clip, so that a kill loses only the clips in progress."""

import hashlib
import shutil
import socket
from os import getpid
from pathlib import Path

import numpy as np

from avemotion.extraction.last_run import Counts
from avemotion.formats import feature_store
from avemotion.formats.clips import ClipMedia
from avemotion.system.outputs import naming


def media_key(clip: ClipMedia, modality: str) -> str:
    """A digest of the clip's media; it is the name of the clip's file."""
    parts = [clip.id, getattr(clip, modality), getattr(clip, f"{modality}_hash")]
    if modality == "video":
        parts += [clip.video_start, clip.video_end, clip.video_crop]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def save(path: Path, views: feature_store.Views, counts: Counts) -> None:
    """Write a clip, whole or not at all; another process may write the same clip.

    Raises:
        OSError: no space left; the finished clips are kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{socket.gethostname()}.{getpid()}")
    content = {f"{view}/{name}": rows for view, arrays in views.items() for name, rows in arrays.items()}
    content |= {f"count/{name}": np.asarray(count) for name, count in counts.items()}
    with naming(path.parent):
        try:
            with temporary.open("wb") as file:
                np.savez(file, **content)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def read(path: Path) -> tuple[feature_store.Views, Counts]:
    """Rows and counts that `save` wrote.

    Raises:
        ValueError: the file is damaged.
    """
    views: feature_store.Views = {}
    counts: Counts = {}
    try:
        with np.load(path) as unit:
            for key in unit.files:
                group, name = key.split("/", 1)
                if group == "count":
                    counts[name] = unit[key].item()
                else:
                    views.setdefault(group, {})[name] = unit[key]
    except Exception as error:  # a damaged archive may raise any error
        raise ValueError(f"{path}: damaged ({error}); delete it and run again") from error
    return views, counts


def drop(work: Path) -> None:
    """Remove the finished clips of every extractor."""
    for folder in work.glob("*/units"):
        shutil.rmtree(folder)
