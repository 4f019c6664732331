"""Summaries of a manifest for the log."""

from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd

from avemotion.formats.clips import ClipMedia
from avemotion.formats.labels import CorpusFacts
from avemotion.manifest import labelling, splits
from avemotion.parsing.clip import Reject


def reasons(rejects: Iterable[Reject]) -> str:
    """The reasons of groups of files, then the most frequent kinds of reason of single files with their counts.

    Categories that the labels leave out are one kind, with the count of each category.
    """
    rejects = list(rejects)
    groups = [reject.reason for reject in rejects if reject.group]
    unused = [reject.reason for reject in rejects if labelling.LEFT_OUT in reject.reason]
    if unused:
        groups.append(unlisted(labelling.left_out(unused), unused[0].partition(labelling.LEFT_OUT)[0]))
    counts = Counter(
        reject.reason.partition(": ")[0]
        for reject in rejects
        if not reject.group and labelling.LEFT_OUT not in reject.reason
    )
    return "; ".join([*groups, *(f"{count} x {reason}" for reason, count in counts.most_common(6))])


def unlisted(categories: Mapping[str, int], param: str = labelling.PARAM) -> str:
    """The clips that the labels of a param leave out, by category."""
    return f"{param} leaves out " + ", ".join(f"{count} {name}" for name, count in categories.items())


def by_split(rows: pd.DataFrame, classes: list[str]) -> str:
    """Clips, speakers and classes of each split; rows: columns speaker, label (None = no label), split."""
    order = list(splits.PARTS) if set(rows["split"]) <= set(splits.PARTS) else sorted(set(rows["split"]), key=int)
    labels = pd.Categorical(rows["label"], classes)
    table = pd.crosstab(rows["split"], labels, dropna=False).reindex(index=order, columns=classes, fill_value=0)
    table.insert(0, "speakers", rows.groupby("split")["speaker"].nunique())
    table.insert(0, "clips", rows.groupby("split").size())
    return table.rename_axis(index=None, columns=None).to_string()


def untrained(rows: pd.DataFrame, classes: list[str]) -> list[str]:
    """A warning if the training clips of a model lack a class; rows as in by_split."""
    parts = set(rows["split"])
    if parts <= set(splits.PARTS):
        training, where = [{"train"}], ""
    else:
        folds = sorted(parts, key=int)
        held_out = zip(folds, [*folds[1:], folds[0]], strict=True)  # each fold tests once, the next one validates
        training, where = [parts - set(pair) for pair in held_out], " of some fold"
    present = [set(rows.loc[rows["split"].isin(of), "label"]) for of in training]
    lacking = [name for name in classes if any(name not in labels for labels in present)]
    if not lacking:
        return []
    return [f"warning: the training clips{where} lack {', '.join(lacking)}; no model can predict what it never saw"]


def role(
    facts: CorpusFacts, media: list[ClipMedia], rows: pd.DataFrame, absent: list[str], left_out: Mapping[str, int]
) -> str:
    """Clips, speakers and classes of each split, as a table.

    Args:
        rows: columns speaker, label, split, valence, arousal.
        absent: entries of manifest.emotion.actors without a speaker in the corpus.
        left_out: category that manifest.emotion.labels does not list -> clips.
    """
    hours = sum(clip.duration for clip in media) / 3600
    no_sound, no_picture = sum(not clip.audio for clip in media), sum(not clip.video for clip in media)
    lines = [
        f"{facts.role}: {facts.corpus}{' (synthetic)' if facts.synthetic else ''}, {facts.clips} clips, "
        f"{facts.speakers} speakers, {hours:.2f} h, {facts.rejected} rejected; "
        f"{no_sound} without sound, {no_picture} without picture",
        by_split(rows, facts.classes),
    ]
    if facts.role != "affect":
        lines += untrained(rows, facts.classes)
    unrated = int(rows[["valence", "arousal"]].isna().all(axis=1).sum()) if facts.role == "affect" else 0
    if unrated:
        lines.append(
            f"{unrated} turns have no valence and arousal: they are context of their dialogues, without a score"
        )
    if facts.agreement:
        of = facts.agreement
        lines.append(
            f"raters: {of['raters']:.1f} votes a clip for {of['clips']} clips, Krippendorff's alpha {of['alpha']:.3f}, "
            f"entropy {of['entropy']:.2f} bits; {of['label_share']:.0%} of the votes are for the clip's label"
        )
    if left_out:
        lines.append(unlisted(left_out))
    if absent:
        lines.append(f"manifest.emotion.actors names speakers that are not there: {', '.join(absent)}")
    if facts.per_fold:
        lines.append(
            "pretrain.per_fold: the emotion role has the folds of the affect role; manifest.emotion.split is unused"
        )
    if facts.speaker_overlap:
        lines.append(
            f"manifest.{facts.role}.split is {facts.split}: speakers are in several splits, so scores will be too good"
        )
    return "\n".join(lines) + "\n"
