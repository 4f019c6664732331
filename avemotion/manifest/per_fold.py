"""The emotion role in the folds of the affect role: separate emotion models for each fold, for speakers in both roles.

The VA model of fold k uses the emotion models of fold k. Both roles have the same fold numbers, so these emotion models
neither train nor validate on the test speakers of VA fold k. All of them validate on the next fold. The VA model's best
epoch is therefore chosen on speakers whom the emotion models did not train on, although the same speakers decided the
best epoch of the emotion models. The VA model trains on turns that the emotion models trained on too. The embeddings of
these turns fit better than those of new speakers: this may cost accuracy, but it raises no test score.
"""

from collections import Counter

from avemotion.parsing.clip import Clip


def follow(emotion: list[Clip], affect: list[Clip], part_of: dict[str, str]) -> dict[str, str]:
    """Clip id of the emotion role -> the fold, as text, in which the VA model is tested on its speaker.

    Speakers of the emotion role alone are assigned to the fold with the fewest clips, in the order of their number of
    clips, rounded to powers of two as in deal.deal.

    Args:
        part_of: affect clip id -> fold; each speaker is in one.

    Raises:
        ValueError: no speaker is in both roles, or a fold has no clip with an emotion.
    """
    fold_of = {clip.speaker: part_of[clip.id] for clip in affect}
    sizes = Counter(clip.speaker for clip in emotion)
    if not sizes.keys() & fold_of.keys():
        # One emotion model per fold would bring nothing.
        raise ValueError(
            "pretrain.per_fold is true, but no speaker is in both roles, so all folds can use the same emotion models; "
            "set pretrain.per_fold: false (if they are the same people, give them the same names in both corpora)"
        )
    weight = dict.fromkeys(sorted(set(part_of.values()), key=int), 0)
    for speaker, size in sizes.items():
        if speaker in fold_of:
            weight[fold_of[speaker]] += 1 << size.bit_length()
    for speaker in sorted(sizes.keys() - fold_of.keys(), key=lambda name: (-sizes[name].bit_length(), name)):
        fold_of[speaker] = min(weight, key=lambda fold: (weight[fold], int(fold)))
        weight[fold_of[speaker]] += 1 << sizes[speaker].bit_length()
    if empty := [fold for fold, clips in weight.items() if not clips]:
        raise ValueError(
            f"pretrain.per_fold is true, but no speaker in VA fold {', '.join(empty)} has a clip with an emotion, "
            "so no emotion model could be tested there; use another manifest.affect.split, or two corpora"
        )
    return {clip.id: fold_of[clip.speaker] for clip in emotion}
