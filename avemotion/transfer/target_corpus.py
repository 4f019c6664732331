"""The clips of a target: a corpus on which the models of this run are scored, without a split, all of it tested."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from avemotion.formats import clips, labels
from avemotion.formats.labels import CorpusFacts
from avemotion.manifest import disjoint, drafts, probe, role_tables, summary
from avemotion.manifest.drafts import Draft, Reading
from avemotion.manifest.known_media import KnownMedia
from avemotion.manifest.role_tables import RoleTables
from avemotion.params.shared.corpora import FACES, ROLES, Place
from avemotion.params.transfer import Config
from avemotion.parsing import registry

MANIFEST = "manifest"  # folder of the tables below that of a target
SPLIT = "test"  # of every clip


def wanted(config: Config, *, categories: bool, ratings: bool) -> set[str]:
    """The roles whose labels are of use: emotion, or affect where the target has ratings.

    Args:
        categories: whether the run has models of emotions. ratings: whether it has models of valence and arousal.

    Raises:
        ValueError: none is.
    """
    rated = ratings and registry.corpus(config.target.name).scale_of(config.target.options) is not None
    if not categories and not rated:
        raise ValueError(
            f"{config.key}: this run has no model for it: run `dvc repro` to train models of emotions, or give "
            "a corpus with ratings (csv: options.scale) to those of valence and arousal"
        )
    return {role for role, used in (("emotion", categories), ("affect", rated)) if used}


def read(config: Config, wanted: set[str], work: Path, listing: Path) -> RoleTables:
    """The clips with a usable file, checked against the corpora of this run.

    Args:
        wanted: emotion for clips with a category, affect for clips with ratings, or both.
        work: folder of what is known of the media. listing: file of the rejects if too many clips are damaged.

    Raises:
        ValueError: the corpus does not suit, too many of its clips are damaged, or the run has its speakers or clips.
    """
    drafted, run = _draft(config, wanted), _of_run()
    disjoint.from_run(config.key, drafted.corpus, drafted.clips, [], run)  # names, before any file is opened
    probed = probe.probe_all(drafted.media_files(), config.compute, KnownMedia(work))
    tables = role_tables.tables_of(drafted, probed)
    role_tables.refuse_damage(tables, config.max_rejected, listing)
    disjoint.from_run(config.key, drafted.corpus, tables.clips, tables.media, run)
    return tables


def write(folder: Path, tables: RoleTables) -> CorpusFacts:
    """Write clips.csv, labels.csv, rejected.csv and corpus.json into folder/manifest; returns the last of these."""
    draft = tables.draft
    rows = [vars(clip) | {"label": draft.label_of.get(clip.id), "split": SPLIT} for clip in tables.clips]
    facts = CorpusFacts(
        corpus=draft.corpus,
        role="transfer",
        synthetic=draft.synthetic,
        classes=draft.classes,
        scale={name: list(draft.scale) for name in ("valence", "arousal", "dominance")} if draft.scale else None,
        split=SPLIT,
        speaker_overlap=False,
        clips=len(tables.clips),
        speakers=len({clip.speaker for clip in tables.clips}),
        rejected=len(tables.rejects),
        folds=[],
        options=draft.options,
    )
    clips.write(MANIFEST, tables.media, folder)
    labels.write(MANIFEST, rows, facts, folder)
    role_tables.write_rejected(folder / MANIFEST / "rejected.csv", tables.rejects)
    return facts


def labelled(folder: Path) -> pd.DataFrame:
    """labels.csv of the clips that `write` wrote below folder, sorted by id."""
    return labels.read(MANIFEST, folder)


def in_words(title: str, tables: RoleTables, facts: CorpusFacts) -> str:
    """Numbers of clips and classes, and why files are left out."""
    counts = pd.Series([tables.draft.label_of.get(clip.id) for clip in tables.clips]).value_counts()
    named = ", ".join(f"{counts.get(name, 0)} {name}" for name in facts.classes)
    text = f"{title}: {facts.corpus}{' (synthetic)' if facts.synthetic else ''}, {facts.clips} clips, "
    text += f"{facts.speakers} speakers, {facts.rejected} rejected; {named}"
    return text + (f"\nleft out or missing: {summary.reasons(tables.rejects)}" if tables.rejects else "")


def _draft(config: Config, wanted: set[str]) -> Draft:
    """The clips of all wanted roles together."""
    target = config.target
    how = Reading(labels=target.labels, options=target.options, key=config.key, labels_key=f"{config.key}.labels")
    where = Place(name=target.name, root=target.root)
    parts: list[Draft] = []
    unlabelled: drafts.NoClipsError | None = None
    for role in [role for role in ROLES if role in wanted]:
        try:
            parts.append(drafts.read(role, where, how))
        except drafts.NoClipsError as error:  # a corpus may have one kind of labels
            unlabelled = error
    if not parts:
        assert unlabelled is not None
        raise unlabelled
    first = parts[0]
    if len(parts) == 1:
        return first
    used = {clip.id for part in parts for clip in part.clips}
    rejects = [reject for reject in first.rejects if all(reject in part.rejects for part in parts)]
    return replace(first, clips=[clip for clip in first.listed if clip.id in used], rejects=rejects)


def _of_run() -> disjoint.OfRun:
    """Speakers and files of all roles of this run."""
    speakers: dict[str, tuple[str, set[str]]] = {}
    files: dict[str, tuple[str, str]] = {}
    for role in (*ROLES, FACES):
        if (facts := labels.read_facts(role)).corpus is not None:
            speakers[role] = facts.corpus, set(labels.read(role)["speaker"])
            for clip in clips.read(role):
                hashes = [of for of in (clip.audio_hash, clip.video_hash) if of]
                files |= {of: (role, clip.id) for of in hashes}
    return disjoint.OfRun(speakers=speakers, files=files)
