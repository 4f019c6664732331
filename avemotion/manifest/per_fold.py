"""The emotion role in the folds of the affect role: pretraining done anew for each fold, for people in both roles.

The emotion models of fold k serve the V/A model of fold k. Folds are numbered alike in both roles, so these emotion
models neither train nor validate on a speaker whom V/A fold k tests. Both validate on the same next fold: the V/A
model's best epoch is chosen on speakers whom the emotion models were not trained on either, though their own best epoch
was chosen by them. The turns that the V/A model trains on are those that the emotion models learned from, so their
embeddings fit better than those of new speakers: that may cost accuracy, but flatters no test score.
"""

from collections import Counter

from avemotion.parsing.clip import Clip


def follow(emotion: list[Clip], affect: list[Clip], part_of: dict[str, str]) -> dict[str, str]:
    """Clip id of the emotion role -> the fold, as text, in which V/A tests its speaker.

    Speakers of the emotion role alone are dealt to the folds, those with most clips first (in steps of a factor of two,
    as in folds.deal), each to the fold with the fewest clips.

    Args:
        part_of: affect clip id -> fold; each speaker is in one.

    Raises:
        ValueError: nobody plays both roles, or a fold has no clip with an emotion.
    """
    fold_of = {clip.speaker: part_of[clip.id] for clip in affect}
    sizes = Counter(clip.speaker for clip in emotion)
    if not sizes.keys() & fold_of.keys():
        # Training as many models as there are folds would buy nothing.
        raise ValueError(
            "pretrain.per_fold is true, but no speaker plays both roles, so the same emotion models can serve all "
            "folds; set pretrain.per_fold: false (if they are the same people, name them alike in both corpora)"
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
            f"pretrain.per_fold is true, but nobody in V/A fold {', '.join(empty)} has a clip with an emotion, so no "
            "emotion model could be tested there; use another manifest.affect.split, or two corpora"
        )
    return {clip.id: fold_of[clip.speaker] for clip in emotion}
