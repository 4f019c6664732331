"""List both corpora: what is there, what it means, who trains and who tests.

Reads the corpora where they lie (corpora.emotion, corpora.affect), checks and hashes every media file,
and writes data/manifest/<role>/{clips.csv,labels.csv,rejected.csv,corpus.json}. Files that have not changed
since an earlier run are not read again (data/work/manifest).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from stages.lib import cli, params
from stages.lib.compute import ComputeParams
from stages.lib.corpora import csv, iemocap, msp_podcast, ravdess
from stages.lib.corpora.clip import Clip, Reject
from stages.lib.data import attach, check, clips, disjoint, drafts, labels, per_fold, probe, splits, summary, tables
from stages.lib.data.known_media import KnownMedia
from stages.lib.data.per_fold import PretrainParams
from stages.lib.outputs import alone, whole_files

ROLES = ("emotion", "affect")
UNUSED = Path("tmp/manifest")  # where rejected.csv goes when the stage stops because of it


@dataclass(frozen=True, kw_only=True)
class CorpusParams:
    """Section corpora.<role>."""

    name: Literal["cremad", "csv", "iemocap", "meld", "msp_improv", "msp_podcast", "ravdess", "savee"]
    root: str  # folder of the corpus, below the project or anywhere else


@dataclass(frozen=True, kw_only=True)
class ManifestParams:
    """Section manifest."""

    seed: int  # of split stratified; its own, so that another training seed keeps the split
    max_rejected: float  # largest share of damaged clips
    emotion: splits.EmotionParams
    affect: splits.AffectParams
    ravdess: ravdess.Params  # options of a parser, under the corpus's name; the other parsers have none
    iemocap: iemocap.Params
    msp_podcast: msp_podcast.Params
    csv: csv.Params

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejected <= 1:
            raise ValueError(f"max_rejected is {self.max_rejected}; give a share from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Config:
    compute: ComputeParams
    corpora: dict[str, CorpusParams]
    manifest: ManifestParams
    pretrain: PretrainParams


def configure(file: Path) -> Config:
    """Every param this stage reads."""
    return Config(
        compute=params.read(file, "compute", ComputeParams),
        corpora={role: params.read(file, f"corpora.{role}", CorpusParams) for role in ROLES},
        manifest=params.read(file, "manifest", ManifestParams),
        pretrain=params.read(file, "pretrain", PretrainParams),
    )


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--check", action="store_true", help="show what is there and how it would be split; seconds")
    parser.add_argument("--template", action="store_true", help="print a small table for corpora.<role>.name: csv")
    arguments = parser.parse_args()
    if arguments.template:
        print(csv.TEMPLATE, end="")
        return
    config = configure(arguments.params)
    # All that can be refused without opening media comes first: hashing a real corpus takes minutes.
    drafted = {role: draft(role, config) for role in ROLES}
    part_of = split(config, {role: drafted[role].clips for role in ROLES})
    if arguments.check:
        for role in ROLES:
            print(check.report(drafted[role], part_of[role]))
        return
    with alone("manifest"):
        files = [file for role in ROLES for file in drafted[role].media_files()]
        probed = probe.probe_all(files, config.compute, KnownMedia())
        found = {role: use_media(role, config, drafted[role], probed) for role in ROLES}
        media = {role: usable for role, (usable, _) in found.items()}
        kept = {role: having(media[role], drafted[role].clips) for role in ROLES}
        part_of = split(config, kept)  # anew: with their clips, speakers may have gone
        disjoint.recordings(media, part_of if config.pretrain.per_fold else None)
        with whole_files(clips.FOLDER) as folder:  # clips and labels of both roles change together
            for role in ROLES:
                print(write(folder, role, config, drafted[role], kept[role], part_of[role], *found[role]))


def draft(role: str, config: Config) -> drafts.Draft:
    where, manifest = config.corpora[role], config.manifest
    return drafts.draft(role, where.name, where.root, getattr(manifest, where.name, None), manifest.emotion.classes)


def split(config: Config, listed: dict[str, list[Clip]]) -> dict[str, dict[str, str]]:
    """Role -> clip id -> split or fold.

    Raises:
        ValueError: a split cannot be made, or pretraining would know a speaker whom V/A tests.
    """
    manifest = config.manifest
    if not config.pretrain.per_fold:
        disjoint.between_roles({role: config.corpora[role].name for role in ROLES}, listed)
        return {role: splits.assign(role, listed[role], getattr(manifest, role), manifest.seed) for role in ROLES}
    affect = splits.assign("affect", listed["affect"], manifest.affect, manifest.seed)
    part_of = {"emotion": per_fold.follow(listed["emotion"], listed["affect"], affect), "affect": affect}
    disjoint.between_folds(listed, part_of)
    return part_of


def having(media: list[clips.ClipMedia], listed: list[Clip]) -> list[Clip]:
    """Clips of which a file is left."""
    usable = {clip.id for clip in media}
    return [clip for clip in listed if clip.id in usable]


def use_media(
    role: str, config: Config, drafted: drafts.Draft, probed: dict[probe.Unit, probe.Media]
) -> tuple[list[clips.ClipMedia], list[Reject]]:
    """Clips with a usable file, and all rejects, sorted.

    Raises:
        ValueError: more clips are damaged than manifest.max_rejected allows.
    """
    root = Path(config.corpora[role].root)
    media, faults, damaged = attach.attach(root, drafted.clips, probed, uniform=drafted.uniform)
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


def write(
    folder: Path,
    role: str,
    config: Config,
    drafted: drafts.Draft,
    kept: list[Clip],
    part_of: dict[str, str],
    media: list[clips.ClipMedia],
    rejects: list[Reject],
) -> str:
    """Write the role's four files below folder; returns a summary for the reader of the log."""
    where, section = config.corpora[role], getattr(config.manifest, role)
    drawn = labels.PER_FOLD if role == "emotion" and config.pretrain.per_fold else section.split
    rows = [vars(clip) | {"label": drafted.label_of.get(clip.id), "split": part_of[clip.id]} for clip in kept]
    facts = labels.CorpusFacts(
        corpus=where.name,
        role=role,
        synthetic=drafted.synthetic,
        classes=drafted.classes,
        scale={name: list(drafted.scale) for name in ("valence", "arousal", "dominance")} if drafted.scale else None,
        split=drawn,
        speaker_overlap=disjoint.overlap(kept, part_of),
        clips=len(kept),
        speakers=len({clip.speaker for clip in kept}),
        rejected=len(rejects),
        folds=splits.fold_numbers(part_of),
    )
    clips.write(role, media, folder)
    labels.write(role, rows, facts, folder)
    write_rejected(folder / role / "rejected.csv", rejects)
    absent = splits.absent_actors(kept, section) if drawn == "actor" else []
    return summary.role(facts, media, pd.DataFrame(rows), absent)


if __name__ == "__main__":
    cli.run(main)
