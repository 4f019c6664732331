"""A role before any media file is opened: which clips of the corpus it takes, and as what."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.manifest import splits, summary
from avemotion.manifest.probe import Unit
from avemotion.params.manifest import ManifestParams
from avemotion.params.shared.corpora import Place
from avemotion.parsing import registry
from avemotion.parsing.clip import Clip, Reject, Whole


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What the corpus says, checked as far as that goes without media."""

    role: str
    corpus: str
    root: Path
    synthetic: bool  # made by a program: the root holds SYNTHETIC.txt
    scale: tuple[float, float] | None  # lowest and highest answer for V, A, D
    uniform: bool  # a clip without the sound or picture that others have is damaged
    whole: Whole | None  # what a complete copy holds
    listed: list[Clip]  # all that the parser found
    clips: list[Clip]  # those of use in the role
    rejects: list[Reject]
    label_of: dict[str, str]  # clip id -> class; in the affect role a clip may have none
    classes: list[str]  # in class-index order

    def media_files(self) -> list[Unit]:
        """Every file of the clips, once a clip and kind."""
        sounds = [(self.root / clip.audio, "audio") for clip in self.clips if clip.audio]
        return sounds + [(self.root / clip.video, "video") for clip in self.clips if clip.video]


def draft(role: str, where: Place, params: ManifestParams) -> Draft:
    """Clips of a role that carry what it needs, with their classes.

    Raises:
        ValueError: the corpus cannot play the role.
    """
    assert where.name is not None, "a role without a corpus has no clips"
    name, root, options = where.name, where.root, params.options(where.name)
    corpus = registry.corpus(name)
    scale = corpus.scale_of(options)
    if role == "affect" and scale is None:
        known = ", ".join(registry.with_ratings())
        remedy = "state it in manifest.csv.scale" if name == "csv" else f"use {known} or csv"
        raise ValueError(f"corpora.affect.name is {name}, which has no valence and arousal; {remedy}")
    if not Path(root).is_dir():
        raise ValueError(f"corpora.{role}.root is {root}, which is no folder; name the one that holds {name}")
    try:
        listed, rejects = corpus.list_clips(Path(root), options)
    except ValueError as error:
        raise ValueError(f"corpora.{role}.root: {error}") from error
    label_of, class_names = splits.classify(listed, corpus, role, params.emotion.classes)
    kept, unused = (_for_emotion if role == "emotion" else _for_affect)(listed, label_of)
    rejects += unused
    if not kept:
        found = f": {summary.reasons(rejects)}" if rejects else ""
        raise ValueError(f"corpora.{role}.root is {root}, where no usable clip of {name} was found{found}")
    return Draft(
        role=role,
        corpus=name,
        root=Path(root),
        synthetic=(Path(root) / "SYNTHETIC.txt").is_file(),
        scale=scale,
        uniform=corpus.uniform,
        whole=corpus.whole(options) if corpus.whole else None,
        listed=listed,
        clips=kept,
        rejects=rejects,
        label_of=label_of,
        classes=class_names,
    )


def _for_emotion(listed: list[Clip], label_of: dict[str, str]) -> tuple[list[Clip], list[Reject]]:
    """Clips with a class."""
    rejects = [
        Reject(clip.audio or clip.video, f"category names no emotion: {clip.emotion or 'none'}")
        for clip in listed
        if clip.id not in label_of
    ]
    return [clip for clip in listed if clip.id in label_of], rejects


def _for_affect(listed: list[Clip], label_of: dict[str, str]) -> tuple[list[Clip], list[Reject]]:
    """Clips with valence or arousal, and turns without that are context for others of their dialogue."""
    rated = {clip.id for clip in listed if clip.valence is not None or clip.arousal is not None}
    dialogues = {clip.dialogue for clip in listed if clip.id in rated} - {None}
    used = rated | {clip.id for clip in listed if clip.dialogue in dialogues}
    rejects = [
        Reject(clip.audio or clip.video, f"no valence or arousal: {clip.id}") for clip in listed if clip.id not in used
    ]
    return [clip for clip in listed if clip.id in used], rejects
