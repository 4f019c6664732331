"""The files of a role: clips.csv, labels.csv, rejected.csv, corpus.json, votes.csv of emotion; notes.csv if needed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from avemotion.formats import clips, labels
from avemotion.formats.clips import ClipMedia
from avemotion.manifest import agreement, attach, disjoint, few, labelling, protocol_split, splits, summary
from avemotion.manifest.drafts import Draft
from avemotion.manifest.probe import Media, Unit
from avemotion.params.manifest import AffectParams, EmotionParams, FacesParams
from avemotion.parsing import protocols
from avemotion.parsing.clip import Clip, Reject
from avemotion.system import tables


@dataclass(frozen=True, kw_only=True)
class RoleTables:
    """A role after its media files were opened."""

    draft: Draft
    clips: list[Clip]  # those with a usable file
    media: list[ClipMedia]
    rejects: list[Reject]  # files and lines that are not used
    damaged: int  # clips lost, or without an expected sound or picture
    total: int  # clips in an undamaged corpus
    notes: list[tuple[str, str]]  # path and what was not read of a file that is used, or not as the file says

    @property
    def damaged_share(self) -> float:
        """Damaged clips as a share of all."""
        return self.damaged / self.total


@dataclass(frozen=True, kw_only=True)
class Split:
    """The split of a role's clips: clip id -> split or fold, and its params."""

    part_of: dict[str, str]
    params: EmotionParams | AffectParams | FacesParams
    per_fold: bool  # the emotion role in the folds of the affect role


def tables_of(draft: Draft, probed: Mapping[Unit, Media]) -> RoleTables:
    """Clips with a usable file, and all rejects, sorted."""
    media, faults, damaged = attach.attach(draft.root, draft.clips, probed, uniform=draft.uniform)
    usable = {clip.id for clip in media}
    lost = sum(reject.lost for reject in draft.rejects)
    return RoleTables(
        draft=draft,
        clips=[clip for clip in draft.clips if clip.id in usable],
        media=media,
        rejects=sorted([*draft.rejects, *faults], key=lambda reject: (reject.path, reject.reason)),
        damaged=damaged + lost,
        total=len(draft.clips) + lost,
        notes=_notes(draft, media, probed),
    )


def _notes(draft: Draft, media: list[ClipMedia], probed: Mapping[Unit, Media]) -> list[tuple[str, str]]:
    files = {(path, kind) for clip in media for path, kind in ((clip.audio, "audio"), (clip.video, "video")) if path}
    return sorted((path, note) for path, kind in files for note in probed[draft.root / path, kind].notes)


def write(folder: Path, role: RoleTables, split: Split) -> str:
    """Write the role's files below folder; returns a summary for the log."""
    draft, part_of, every = role.draft, split.part_of, role.clips
    if isinstance(split.params, EmotionParams):
        role = replace(role, clips=few.kept(every, part_of, draft.label_of, split.params.few))
    drawn = labels.PER_FOLD if split.per_fold else split.params.split
    numbers, protocol = splits.fold_numbers(part_of), None
    if drawn == "protocol" and isinstance(split.params, EmotionParams):
        protocol = protocols.read(draft.corpus, str(split.params.protocol))
    rows = [vars(clip) | {"label": draft.label_of.get(clip.id), "split": part_of[clip.id]} for clip in role.clips]
    usable = {clip.id for clip in role.clips}
    voted = {clip: of for clip, of in draft.votes.items() if clip in usable}
    target = split.params.target if isinstance(split.params, EmotionParams) else "majority"
    refuse_without_votes(draft.corpus, target, len(voted))
    facts = labels.CorpusFacts(
        corpus=draft.corpus,
        role=draft.role,
        synthetic=draft.synthetic,
        classes=draft.classes,
        scale={name: list(draft.scale) for name in ("valence", "arousal", "dominance")} if draft.scale else None,
        split=drawn,
        speaker_overlap=disjoint.overlap(role.clips, part_of),
        clips=len(role.clips),
        speakers=len({clip.speaker for clip in role.clips}),
        rejected=len(role.rejects),
        folds=numbers,
        protocol=protocol.name if protocol else None,
        validates=protocol_split.validates(protocol, numbers) if protocol else {},
        labels=split.params.labels if isinstance(split.params, EmotionParams) else "corpus",
        options=draft.options,
        target=target,
        agreement=agreement.of_votes(voted, draft.label_of, draft.classes) if voted else None,
    )
    clips.write(draft.role, role.media, folder)
    labels.write(draft.role, rows, facts, folder)
    if draft.role == "emotion":
        labels.write_votes(voted, draft.classes, folder)
    write_rejected(folder / draft.role / "rejected.csv", role.rejects)
    if role.notes:
        tables.write_csv(folder / draft.role / "notes.csv", pd.DataFrame(role.notes, columns=["path", "note"]))
    absent = []
    if drawn == "actor" and isinstance(split.params, EmotionParams):
        absent = splits.absent_actors(role.clips, split.params)
    left_out = labelling.left_out(reject.reason for reject in role.rejects)
    text = summary.role(facts, role.media, pd.DataFrame(rows), absent, left_out)
    text += "".join(f"warning: {reject.reason}\n" for reject in role.rejects if reject.group)
    if isinstance(split.params, EmotionParams) and split.params.few.used:
        text += few.in_words(every, role.clips, split.params.few)
    return text + f"{len(role.notes)} notes on media that are used in part or otherwise: notes.csv\n" * bool(role.notes)


def refuse_damage(tables: RoleTables, most: float, listing: Path) -> None:
    """Raises ValueError if the share of damaged clips exceeds manifest.max_rejected; then writes the rejects to
    listing."""
    if tables.damaged_share > most or not tables.media:
        write_rejected(listing, tables.rejects)
        raise ValueError(
            f"{tables.damaged} of {tables.total} clips of {tables.draft.root} are damaged ({tables.damaged_share:.1%}; "
            f"manifest.max_rejected is {most}): {summary.reasons(tables.rejects)}. "
            f"See {listing}; repair the files, or raise manifest.max_rejected to go on without them"
        )


def refuse_without_votes(corpus: str, target: str, voted: int) -> None:
    """Raises ValueError if the models are to train on the raters' votes and there are none."""
    if target == "soft" and not voted:
        raise ValueError(
            f"manifest.emotion.target is soft, but {corpus} has no votes of raters here; IEMOCAP, CREMA-D (with "
            "processedResults/tabulatedVotes.csv), MSP-Podcast (with labels_detailed.csv) and csv (column votes) may "
            "have them; set majority"
        )


def write_absent(folder: Path, role: str) -> None:
    """Write the files of a role without a corpus: tables without rows."""
    facts = labels.CorpusFacts(
        corpus=None,
        role=role,
        synthetic=False,
        classes=[],
        scale=None,
        split="none",
        speaker_overlap=False,
        clips=0,
        speakers=0,
        rejected=0,
        folds=[],
    )
    clips.write(role, [], folder)
    labels.write(role, [], facts, folder)
    if role == "emotion":
        labels.write_votes({}, [], folder)
    write_rejected(folder / role / "rejected.csv", [])


def write_rejected(file: Path, rejects: list[Reject]) -> None:
    """Write path and reason of each reject."""
    rows = [(reject.path, reject.reason) for reject in rejects]
    tables.write_csv(file, pd.DataFrame(rows, columns=["path", "reason"]))
