"""Few training clips of the emotion role: of k speakers, or k of each class, drawn so that more contain fewer."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from avemotion.params.manifest import FewParams
from avemotion.parsing.clip import Clip
from avemotion.system.seeds import seed_for

KEY, TRAIN = "manifest.emotion.few", "train"


def refuse(clips: Sequence[Clip], part_of: Mapping[str, str], params: FewParams) -> None:
    """Raises ValueError if the parts are folds, or train has fewer speakers; part_of: clip id -> split or fold."""
    if not params.used:
        return
    known = {clip.speaker for clip in clips if part_of[clip.id] == TRAIN}
    if not known:
        raise ValueError(
            f"{KEY} takes a split into train, val and test, but this one gives folds, each of which trains several "
            "models; use manifest.emotion.split actor, given or protocol, or set both to null"
        )
    if params.speakers is not None and params.speakers > len(known):
        raise ValueError(f"{KEY}.speakers is {params.speakers}, but train has {len(known)}; give that many or fewer")


def kept(
    clips: Sequence[Clip], part_of: Mapping[str, str], label_of: Mapping[str, str], params: FewParams
) -> list[Clip]:
    """All clips of val and test, and those of the first speakers and clips of train in an order by hashes.

    A larger number keeps the speakers and clips of a smaller one, and a file less moves no other.

    Args:
        part_of: clip id -> train, val or test. label_of: clip id -> class.

    Raises:
        ValueError: as `refuse`.
    """
    refuse(clips, part_of, params)
    if not params.used:
        return list(clips)
    training = [clip for clip in clips if part_of[clip.id] == TRAIN]
    speakers = sorted({clip.speaker for clip in training}, key=lambda name: seed_for(params.seed, "few", name))
    chosen = set(speakers[: params.speakers])
    of_class: dict[str, list[str]] = defaultdict(list)
    for clip in training:
        if clip.speaker in chosen:
            of_class[label_of[clip.id]].append(clip.id)
    used: set[str] = set()
    for ids in of_class.values():
        used.update(sorted(ids, key=lambda clip: seed_for(params.seed, "few", clip))[: params.clips])
    return [clip for clip in clips if part_of[clip.id] != TRAIN or clip.id in used]


def in_words(before: Sequence[Clip], after: Sequence[Clip], params: FewParams) -> str:
    """How many training clips are left."""
    named = ", ".join(
        f"{name} {value}" for name, value in (("speakers", params.speakers), ("clips", params.clips)) if value
    )
    return (
        f"{KEY} ({named}): {len(before) - len(after)} of {len(before)} clips are in clips.csv alone and train nothing\n"
    )
