"""The classes of the emotion role: which of a corpus's categories are used, and under which names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from avemotion.params.manifest import IEMOCAP4, Labels
from avemotion.parsing.clip import COARSE, Clip, Corpus

Votes = dict[str, dict[str, float]]  # clip id -> class -> number of votes
PARAM = "manifest.emotion.labels"
LEFT_OUT = " leaves out the category"  # the reason of a reject, after the param and before ": <category>"


def classify(
    clips: Iterable[Clip], corpus: Corpus, role: str, labels: Labels, param: str = PARAM
) -> tuple[dict[str, str], list[str]]:
    """Class of each clip and all class names in index order.

    A clip of the roles emotion and faces has no class if it has no category, if its category names no emotion, or if
    `labels` does not list its category. In the affect role, the class is always the corpus's own category.

    Args:
        param: where `labels` stands, for messages.

    Raises:
        ValueError: `labels` names a category that the corpus does not have, or lacks one that it has to have.
    """
    named = [clip for clip in clips if clip.emotion]
    if role == "emotion" and (mapping := _mapping(labels)) is not None:
        _refuse_unknown(mapping, _categories(named, corpus), labels, param)
        class_of = {category: name for name, categories in mapping.items() for category in categories}
        return {clip.id: class_of[clip.emotion] for clip in named if clip.emotion in class_of}, list(mapping)
    if role != "affect":
        named = [clip for clip in named if clip.emotion not in corpus.unlabelled]
    if role == "emotion" and labels == "coarse4":
        if unknown := sorted({clip.emotion for clip in named} - set(corpus.coarse)):
            raise ValueError(
                f"{param} is coarse4, but {', '.join(unknown)} belongs to none of {', '.join(COARSE)}; "
                "use corpus (the corpus's own categories) or a mapping such as {angry: [anger, fury]}"
            )
        return {clip.id: corpus.coarse[clip.emotion] for clip in named}, list(COARSE)
    class_of_clip = {clip.id: clip.emotion for clip in named}
    return class_of_clip, list(corpus.emotions or sorted(set(class_of_clip.values())))


def votes_by_class(clips: Iterable[Clip], classes: Sequence[str], corpus: Corpus, labels: Labels) -> Votes:
    """Clip id -> class -> votes, of the clips with votes; votes for categories without a class do not count.

    Args:
        clips: those with a class. classes: the second result of `classify`.
    """
    mapping = _mapping(labels)
    if mapping is not None:
        class_of = {category: name for name, categories in mapping.items() for category in categories}
    else:
        class_of = dict(corpus.coarse) if labels == "coarse4" else {name: name for name in classes}
    votes: dict[str, dict[str, float]] = {}
    for clip in clips:
        of: dict[str, float] = {}
        for category, count in (clip.votes or {}).items():
            if category in class_of:
                of[class_of[category]] = of.get(class_of[category], 0) + count
        if of:
            votes[clip.id] = of
    return votes


def reject_reason(clip: Clip, corpus: Corpus, labels: Labels, param: str = PARAM) -> str:
    """Why a clip has no class; param: as for classify."""
    if clip.emotion and _mapping(labels) is not None:
        return f"{param}{LEFT_OUT}: {clip.emotion}"
    return f"category names no emotion: {clip.emotion or 'none'}"


def left_out(reasons: Iterable[str]) -> dict[str, int]:
    """Category -> number of clips that the labels leave out, the most frequent first, from the reasons of rejects."""
    counts = Counter(reason.partition(f"{LEFT_OUT}: ")[2] for reason in reasons if f"{LEFT_OUT}: " in reason)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _mapping(labels: Labels) -> Mapping[str, Sequence[str]] | None:
    """Class -> categories; None where the labels are a rule of the corpus."""
    if labels == "iemocap4":
        return IEMOCAP4
    return None if isinstance(labels, str) else labels


def _categories(named: list[Clip], corpus: Corpus) -> set[str]:
    """All categories that the corpus may have: those of its definition and those of the clips."""
    known = {*(corpus.emotions or ()), *corpus.coarse, *corpus.unlabelled}
    return known | {clip.emotion for clip in named if clip.emotion}


def _refuse_unknown(mapping: Mapping[str, Sequence[str]], known: set[str], labels: Labels, param: str) -> None:
    for name, categories in mapping.items():
        if unknown := [category for category in categories if category not in known]:
            place = f"{param} is {labels}, whose class {name}" if isinstance(labels, str) else f"{param}.{name}"
            raise ValueError(
                f"{place} takes {', '.join(unknown)}, which the corpus does not have; its categories are "
                f"{', '.join(sorted(known))}"
            )
