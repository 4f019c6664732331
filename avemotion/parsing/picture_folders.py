"""Still pictures in folders that are named by emotion, with or without a level of train, val and test above them."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from avemotion.media.stills import SUFFIXES
from avemotion.parsing.clip import Clip, Reject, walk
from avemotion.parsing.files import in_order

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def list_pictures(root: Path, categories: Mapping[str, str] | None = None) -> tuple[list[Clip], list[Reject]]:
    """root/<emotion>/*.jpg or root/<part>/<emotion>/*.jpg, in any depth below the folder of the emotion.

    The people are unknown, so each picture counts as a speaker of its own. Ids are paths with _ for /.

    Args:
        categories: name of a folder in lower case -> category; None = the names as they are.

    Returns:
        clips sorted by id; rejects: pictures outside such a folder, names used twice, folders without a picture.
    """
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    split = any(name.lower() in PARTS for name in folders)
    clips: dict[str, Clip] = {}
    rejects, filled = [], set()
    for path in walk(root):
        pure = PurePosixPath(path)
        if pure.suffix.lower() not in SUFFIXES:
            continue
        above = list(pure.parts[:-1])
        part = PARTS.get(above.pop(0).lower()) if split and above else None
        if not above or (split and part is None):
            where = "a folder of train, val or test and one of an emotion" if split else "a folder of an emotion"
            rejects.append(Reject(path, f"not in {where}"))
            continue
        filled.add("/".join(pure.parts[: 1 + split]))
        emotion = above[0] if categories is None else categories.get(above[0].lower())
        clip_id = path.removesuffix(pure.suffix).replace("/", "_")
        if emotion is None:
            rejects.append(Reject(path, f"its folder is no emotion of this corpus: {above[0]}"))
        elif clip_id in clips:
            rejects.append(Reject(path, f"double: the name is used by {clips[clip_id].video}"))
        else:
            clips[clip_id] = Clip(id=clip_id, speaker=clip_id, gender=None, emotion=emotion, video=path, part=part)
    level = "*/*/" if split else "*/"
    named = (path.relative_to(root).as_posix() for path in root.glob(level) if path.is_dir())
    rejects += [
        Reject(folder, f"folder without a picture: {folder}", group=True)
        for folder in named
        if folder not in filled and not any(name.startswith(".") for name in folder.split("/"))
    ]
    return [clips[clip_id] for clip_id in sorted(clips)], in_order(rejects)
