"""The share of clips whose face the detector finds, from one frame of few clips: seconds before hours of extraction."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from avemotion.faces import detection
from avemotion.manifest.drafts import Draft
from avemotion.media.pictures import read_film
from avemotion.media.stills import is_still, read_still
from avemotion.parsing.clip import Clip
from avemotion.system import params_file
from avemotion.system.media_error import MediaError
from avemotion.system.seeds import seed_for

CLIPS = 40  # of a role
SECONDS = 20.0  # after which no further clip is opened


def line(file: Path, draft: Draft) -> str:
    """The rate in words; empty where no face is looked for or no clip has a picture.

    Raises:
        ValueError: the detector of the params file lacks a package or a file.
    """

    def setting(name: str, kind: type) -> Any:
        return params_file.read(file, f"features.frames.{name}", kind)

    clips = [clip for clip in draft.clips if clip.video]
    if setting("stills", str) == "whole":
        clips = [clip for clip in clips if not is_still(Path(str(clip.video)))]
    if not clips or not setting("face", bool):
        return ""
    name, model = setting("detector", str), setting("detector_model", str)
    find = detection.detector(name, model, detection.weights(name, model))
    return count(name, find, draft.root, evenly(clips))


def evenly(clips: Iterable[Clip]) -> list[Clip]:
    """At most CLIPS clips: one of each speaker, then a second one of each; by a hash, so that emotions are mixed."""
    ordered = sorted(clips, key=lambda clip: seed_for("face rate", clip.id))
    earlier: Counter[str] = Counter()
    rank = {}
    for clip in ordered:
        rank[clip.id] = earlier[clip.speaker]
        earlier[clip.speaker] += 1
    return sorted(ordered, key=lambda clip: rank[clip.id])[:CLIPS]  # sorting keeps the order of equal ranks


def count(name: str, find: Callable[[np.ndarray], list[Any]], root: Path, clips: list[Clip]) -> str:
    """Opens the middle frame of each clip, until SECONDS have passed."""
    with_face = several = read = unread = 0
    began = time.monotonic()
    for clip in clips:
        if time.monotonic() - began > SECONDS:
            break
        try:
            picture = _middle(root / str(clip.video), clip)
        except (MediaError, OSError, ValueError):
            unread += 1
            continue
        faces = find(picture)
        read, with_face, several = read + 1, with_face + bool(faces), several + (len(faces) > 1)
    share = f" ({with_face / read:.0%})" if read else ""
    notes = [f"{several} with more than one"] * bool(several) + [f"{unread} not readable"] * bool(unread)
    more = f"; {', '.join(notes)}" if notes else ""
    return f"faces: {name} finds one in the middle frame of {with_face} of {read} clips{share}{more}\n"


def _middle(path: Path, clip: Clip) -> np.ndarray:
    if is_still(path):
        return read_still(path)
    return read_film(path, 1, clip.video_start, clip.video_end, clip.video_crop).frames[0]
