"""Assigns speakers to folds that are disjoint, balanced and the same for every seed."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from avemotion.parsing.clip import Clip
from avemotion.system.seeds import seed_for


def deal(clips: list[Clip], count: int, section: str, *, whole_dialogues: bool, number: int = 0) -> dict[str, str]:
    """Clip id -> fold 1 to count as text.

    Speakers are assigned in the order of their number of clips, rounded to powers of two, then of gender and name. Each
    speaker goes to the fold with the fewest speakers of that gender, then the fewest clips, then the lowest number.
    Rounding keeps the assignment stable if a single clip is lost (a damaged file).

    Args:
        section: params section, for error messages.
        whole_dialogues: keep speakers who share a dialogue in one fold.
        number: 0 takes speakers of one size and gender in the order of their names; each other number takes them in
            another order, by a hash of their names.

    Raises:
        ValueError: fewer speakers (or groups of speakers who share dialogues) than folds.
    """
    group_of = _groups(clips) if whole_dialogues else {clip.speaker: clip.speaker for clip in clips}
    sizes = Counter(group_of[clip.speaker] for clip in clips)
    genders = defaultdict(set)
    for clip in clips:
        genders[group_of[clip.speaker]].add(clip.gender or "")
    if len(sizes) < count:
        what = "groups of speakers who share dialogues" if len(sizes) < len(group_of) else "speakers"
        raise ValueError(f"{section}.folds is {count}, but there are {len(sizes)} {what}; lower it, or split otherwise")
    fold_of: dict[str, int] = {}
    same, weight = Counter(), Counter()
    kinds = {group: tuple(sorted(names)) for group, names in genders.items()}

    def place(group: str) -> tuple:
        return -sizes[group].bit_length(), kinds[group], seed_for(number, "deal", group) if number else 0, group

    for group in sorted(sizes, key=place):
        kind = kinds[group]
        fold = min(range(1, count + 1), key=lambda fold: (same[kind, fold], weight[fold], fold))
        fold_of[group] = fold
        same[kind, fold] += 1
        weight[fold] += 1 << sizes[group].bit_length()
    return {clip.id: str(fold_of[group_of[clip.speaker]]) for clip in clips}


def _groups(clips: Iterable[Clip]) -> dict[str, str]:
    """Speaker -> the first name among all speakers linked to this speaker by dialogues."""
    leader: dict[str, str] = {}

    def find(speaker: str) -> str:
        while leader.setdefault(speaker, speaker) != speaker:
            leader[speaker] = leader[leader[speaker]]
            speaker = leader[speaker]
        return speaker

    first: dict[str, str] = {}
    for clip in clips:
        one = find(clip.speaker)
        if clip.dialogue is not None:
            other = find(first.setdefault(clip.dialogue, clip.speaker))
            leader[max(one, other)] = min(one, other)
    return {speaker: find(speaker) for speaker in sorted(leader)}
