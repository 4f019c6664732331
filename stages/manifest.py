"""List both corpora: what is there, what it means, who trains and who tests.

Reads the corpora where they lie (corpora.emotion, corpora.affect), checks and hashes every media file,
and writes data/manifest/<role>/{clips.csv,labels.csv,rejected.csv,corpus.json}.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from stages.lib import cli, params
from stages.lib.compute import ComputeParams
from stages.lib.corpora import iemocap, ravdess
from stages.lib.corpora.clip import Clip, Reject
from stages.lib.corpora.registry import CORPORA
from stages.lib.data import attach, clips, disjoint, labels, probe, splits, summary, tables

ROLES = ("emotion", "affect")
UNUSED = Path("tmp/manifest")  # where rejected.csv goes when the stage stops because of it


@dataclass(frozen=True, kw_only=True)
class CorpusParams:
    """Section corpora.<role>."""

    name: Literal["iemocap", "ravdess"]
    root: str  # folder of the corpus, below the project or anywhere else


@dataclass(frozen=True, kw_only=True)
class ManifestParams:
    """Section manifest."""

    seed: int  # of split stratified; its own, so that another training seed keeps the split
    max_rejected: float  # largest share of damaged clips
    emotion: splits.EmotionParams
    affect: splits.AffectParams
    ravdess: ravdess.Params  # options of each parser, under the corpus's name
    iemocap: iemocap.Params

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejected <= 1:
            raise ValueError(f"max_rejected is {self.max_rejected}; give a share from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Config:
    compute: ComputeParams
    corpora: dict[str, CorpusParams]
    manifest: ManifestParams


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A role before any media file is opened."""

    clips: list[Clip]
    rejects: list[Reject]
    label_of: dict[str, str]
    classes: list[str]


def configure(file: Path) -> Config:
    """Every param this stage reads."""
    return Config(
        compute=params.read(file, "compute", ComputeParams),
        corpora={role: params.read(file, f"corpora.{role}", CorpusParams) for role in ROLES},
        manifest=params.read(file, "manifest", ManifestParams),
    )


def main() -> None:
    config = configure(cli.parser(__doc__).parse_args().params)
    # All that can be refused without opening media comes first: hashing a real corpus takes minutes.
    drafts = {role: draft(role, config) for role in ROLES}
    names = {role: config.corpora[role].name for role in ROLES}
    disjoint.between_roles(names, {role: drafts[role].clips for role in ROLES})
    probed = probe.probe_all(
        [file for role in ROLES for file in media_files(role, config, drafts[role])], config.compute
    )
    found = {role: use_media(role, config, drafts[role], probed) for role in ROLES}
    disjoint.recordings({role: media for role, (media, _) in found.items()})
    for role in ROLES:
        print(write(role, config, drafts[role], *found[role]))


def draft(role: str, config: Config) -> Draft:
    """Clips of a role that carry what it needs, with their classes.

    Raises:
        ValueError: the corpus cannot play the role, or its split would be empty.
    """
    corpus, where = CORPORA[config.corpora[role].name], config.corpora[role]
    if role == "affect" and corpus.scale is None:
        raise ValueError(f"corpora.affect.name is {where.name}, which has no valence and arousal; use iemocap")
    if not Path(where.root).is_dir():
        raise ValueError(
            f"corpora.{role}.root is {where.root}, which is no folder; name the one that holds {where.name}"
        )
    try:
        listed, rejects = corpus.list_clips(Path(where.root), getattr(config.manifest, where.name))
    except ValueError as error:
        raise ValueError(f"corpora.{role}.root: {error}") from error
    label_of, classes = splits.classify(listed, corpus, role, config.manifest.emotion.classes)
    kept = []
    for clip in listed:
        if clip.id not in label_of:
            rejects.append(Reject(clip.audio or clip.video, f"category names no emotion: {clip.emotion}"))
        elif role == "affect" and (clip.valence is None or clip.arousal is None):
            rejects.append(Reject(clip.audio or clip.video, f"no valence or arousal: {clip.id}"))
        else:
            kept.append(clip)
    if not kept:
        raise ValueError(f"corpora.{role}.root is {where.root}, where no usable clip of {where.name} was found")
    splits.assign(role, kept, getattr(config.manifest, role), config.manifest.seed)
    return Draft(clips=kept, rejects=rejects, label_of=label_of, classes=classes)


def media_files(role: str, config: Config, drafted: Draft) -> list[tuple[Path, str]]:
    root = Path(config.corpora[role].root)
    sounds = [(root / clip.audio, "audio") for clip in drafted.clips if clip.audio]
    return sounds + [(root / clip.video, "video") for clip in drafted.clips if clip.video]


def use_media(
    role: str, config: Config, drafted: Draft, probed: dict[Path, probe.Media]
) -> tuple[list[clips.ClipMedia], list[Reject]]:
    """Clips with a usable file, and all rejects, sorted.

    Raises:
        ValueError: more clips are damaged than manifest.max_rejected allows.
    """
    root = Path(config.corpora[role].root)
    media, faults, damaged = attach.attach(root, drafted.clips, probed)
    rejects = sorted([*drafted.rejects, *faults], key=lambda reject: (reject.path, reject.reason))
    lost = sum(reject.lost for reject in drafted.rejects)
    share = (damaged + lost) / (len(drafted.clips) + lost)
    if share > config.manifest.max_rejected or not media:
        listing = UNUSED / role / "rejected.csv"
        write_rejected(listing, rejects)
        raise ValueError(
            f"{damaged + lost} of {len(drafted.clips) + lost} clips of {root} are damaged ({share:.1%}; "
            f"manifest.max_rejected is {config.manifest.max_rejected}): {summary.reasons(rejects)}. "
            f"See {listing}; repair the files, or raise manifest.max_rejected to go on without them"
        )
    return media, rejects


def write_rejected(file: Path, rejects: list[Reject]) -> None:
    rows = [(reject.path, reject.reason) for reject in rejects]
    tables.write_csv(file, pd.DataFrame(rows, columns=["path", "reason"]))


def write(role: str, config: Config, drafted: Draft, media: list[clips.ClipMedia], rejects: list[Reject]) -> str:
    """Write the role's four files; returns a summary for the reader of the log."""
    where, section = config.corpora[role], getattr(config.manifest, role)
    usable = {clip.id for clip in media}
    kept = [clip for clip in drafted.clips if clip.id in usable]
    part_of = splits.assign(role, kept, section, config.manifest.seed)
    rows = [vars(clip) | {"label": drafted.label_of[clip.id], "split": part_of[clip.id]} for clip in kept]
    scale = CORPORA[where.name].scale
    facts = labels.CorpusFacts(
        corpus=where.name,
        role=role,
        synthetic=(Path(where.root) / "SYNTHETIC.txt").is_file(),
        classes=drafted.classes,
        scale={name: list(scale) for name in ("valence", "arousal", "dominance")} if scale else None,
        split=section.split,
        speaker_overlap=section.split in splits.OVERLAPPING,
        clips=len(kept),
        speakers=len({clip.speaker for clip in kept}),
        rejected=len(rejects),
        folds=sorted({int(fold) for fold in part_of.values()}) if role == "affect" else [],
    )
    clips.write(role, media)
    labels.write(role, rows, facts)
    write_rejected(clips.FOLDER / role / "rejected.csv", rejects)
    absent = splits.absent_actors(kept, section) if section.split == "actor" else []
    return summary.role(facts, media, pd.DataFrame(rows), absent)


if __name__ == "__main__":
    cli.run(main)
