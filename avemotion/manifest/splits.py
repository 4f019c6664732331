"""Splits of a role: the place of each clip in train, val, test or a fold."""

from collections.abc import Callable, Iterable

from avemotion.manifest import deal, disjoint, protocol_split
from avemotion.params.manifest import AffectParams, EmotionParams, FacesParams
from avemotion.parsing import protocols
from avemotion.parsing.clip import Clip
from avemotion.system.seeds import seed_for

PARTS = ("train", "val", "test")


def by_actor(clips: list[Clip], params: EmotionParams, seed: int) -> dict[str, str]:
    """Clip id -> train, val or test by lists of speakers.

    Raises:
        ValueError: a number fits several speakers, or two entries name the same speaker.
    """
    part_of: dict[str, str] = {}
    known = protocol_split.speakers_by_entry(clips)
    for part, listed in (("val", params.actors.val), ("test", params.actors.test)):
        for entry in listed:
            fits = known.get(entry, [])
            if len(fits) > 1:
                raise ValueError(f"manifest.emotion.actors.{part}: {entry} fits {', '.join(fits)}; write the full name")
            if fits and fits[0] in part_of:
                raise ValueError(
                    f"manifest.emotion.actors names {fits[0]} twice; leave it in one of val and test, once"
                )
            part_of |= {speaker: part for speaker in fits}
    return {clip.id: part_of.get(clip.speaker, "train") for clip in clips}


def absent_actors(clips: list[Clip], params: EmotionParams) -> list[str]:
    """Entries of manifest.emotion.actors without a speaker in the corpus."""
    known = protocol_split.speakers_by_entry(clips)
    return [str(entry) for entry in params.actors.val + params.actors.test if entry not in known]


def stratified(clips: list[Clip], params: EmotionParams, seed: int) -> dict[str, str]:
    """Clip id -> train, val or test, at random within each emotion, in the given ratios.

    Speakers are in several parts, so scores are far too good. It is for comparison with older work only.
    The n clips of an emotion are cut at round(n * cumulative ratio), halves up.
    """
    groups: dict[str, list[str]] = {}
    for clip in clips:
        groups.setdefault(clip.emotion, []).append(clip.id)
    part_of = {}
    for emotion, ids in groups.items():
        # By a hash of each id instead of a shuffle: an additional clip moves hardly any other.
        ids.sort(key=lambda clip_id: seed_for(seed, "stratified", emotion, clip_id))
        train, val, _ = params.ratios
        cuts = [int(round(len(ids) * share, 6) + 0.5) for share in (train, train + val)]
        part_of |= {clip_id: PARTS[sum(i >= cut for cut in cuts)] for i, clip_id in enumerate(ids)}
    return part_of


def by_session(clips: list[Clip], params: EmotionParams | AffectParams, seed: int) -> dict[str, str]:
    """Clip id -> the session as text: one fold per recording session.

    Raises:
        ValueError: the corpus has no sessions.
    """
    if any(clip.session is None for clip in clips):
        role = "emotion" if isinstance(params, EmotionParams) else "affect"
        raise ValueError(f"manifest.{role}.split is sessions, but the corpus has none; use speakers or given")
    return {clip.id: str(clip.session) for clip in clips}


def actor_kfold(clips: list[Clip], params: EmotionParams, seed: int) -> dict[str, str]:
    """Clip id -> the test fold of its speaker, as text. It depends on no seed but params.deal: see deal.deal."""
    return deal.deal(clips, params.folds, "manifest.emotion", whole_dialogues=False, number=params.deal)


def each_speaker(clips: list[Clip], params: EmotionParams, seed: int) -> dict[str, str]:
    """Clip id -> the fold as text: one fold per speaker, in the order of their names (leave one speaker out)."""
    fold_of = {speaker: str(fold) for fold, speaker in enumerate(sorted({clip.speaker for clip in clips}), 1)}
    return {clip.id: fold_of[clip.speaker] for clip in clips}


def speaker_folds(clips: list[Clip], params: AffectParams, seed: int) -> dict[str, str]:
    """Clip id -> the fold as text. Speakers of one dialogue are in the same fold, because turns have context."""
    return deal.deal(clips, params.folds, "manifest.affect", whole_dialogues=True, number=params.deal)


def given(clips: list[Clip], params: EmotionParams | AffectParams, seed: int) -> dict[str, str]:
    """Clip id -> the corpus's own partition: train, val and test, or the number of a fold.

    Raises:
        ValueError: the corpus has no partition for some clips, or mixes both kinds.
    """
    if without := [clip.id for clip in clips if clip.part is None]:
        raise ValueError(
            f"manifest: split is given, but the corpus states none for {len(without)} of {len(clips)} clips "
            f"({_few(without)}); choose another split"
        )
    part_of = {clip.id: clip.part for clip in clips}
    if len({part in PARTS for part in part_of.values()}) > 1:
        raise ValueError(
            "manifest: split is given, but the corpus mixes train, val, test with numbers of folds; use either"
        )
    return part_of


def of_stills(clips: list[Clip], params: FacesParams, seed: int) -> dict[str, str]:
    """Clip id -> the corpus's own part; pictures without one train. A part that the corpus does not have takes the
    share `held_out` of the training pictures of each emotion, whole speakers, by a hash of their names.
    """
    part_of = {clip.id: clip.part if clip.part in PARTS else "train" for clip in clips}
    for part in PARTS[1:]:
        if part in part_of.values():
            continue
        speakers: dict[str, dict[str, None]] = {}  # by the emotion of the first clip; a dict, for its order
        known: set[str] = set()
        for clip in clips:
            if part_of[clip.id] == "train" and clip.speaker not in known:
                known.add(clip.speaker)
                speakers.setdefault(str(clip.emotion), {})[clip.speaker] = None
        drawn: set[str] = set()
        for names in speakers.values():
            order = sorted(names, key=lambda name: seed_for(seed, "held out", part, name))
            drawn.update(order[: round(len(order) * params.held_out)])
        part_of |= {clip.id: part for clip in clips if part_of[clip.id] == "train" and clip.speaker in drawn}
    return part_of


Splitter = Callable[..., dict[str, str]]
SPLITTERS: dict[str, dict[str, Splitter]] = {
    "emotion": {
        "actor": by_actor,
        "actor_kfold": actor_kfold,
        "sessions": by_session,
        "speakers": each_speaker,
        "given": given,
        "stratified": stratified,
    },
    "affect": {"sessions": by_session, "speakers": speaker_folds, "given": given},
    "faces": {"given": of_stills},
}
# Splits of the emotion role that may assign a speaker to several parts, by design or as published.
OVERLAPPING = {"given", "protocol", "stratified"}


def assign(
    role: str, clips: list[Clip], params: EmotionParams | AffectParams | FacesParams, seed: int, corpus: str = ""
) -> dict[str, str]:
    """Clip id -> train, val or test, or the number of a fold, checked.

    Args:
        corpus: its name, for split: protocol.

    Raises:
        ValueError: a split is empty, there are fewer than three folds, or a speaker is in two of them.
    """
    if isinstance(params, EmotionParams) and params.split == "protocol":
        part_of = protocol_split.assign(clips, protocols.read(corpus, str(params.protocol)))
    else:
        part_of = SPLITTERS[role][params.split](clips, params, seed)
    present = set(part_of.values())
    place = f"manifest.{role}.split is {params.split}"
    if numbers := fold_numbers(part_of):
        if len(numbers) < 3:
            raise ValueError(
                f"{place} and gives folds {', '.join(map(str, numbers))}; "
                "testing, validating and training take three or more"
            )
    elif role == "affect":  # each fold is the test set of its own model
        raise ValueError(
            f"{place} and gives train, val and test, but valence and arousal are trained in folds; use speakers, or "
            "number the folds where the corpus allows it (csv: column split)"
        )
    elif empty := [part for part in PARTS if part not in present]:
        if role == "faces":
            raise ValueError(
                f"manifest.faces.held_out is {params.held_out} and leaves {', '.join(empty)} empty; raise it, or add "
                "pictures"
            )
        remedies = {
            "actor": f"change manifest.{role}.actors (speakers: {_few({clip.speaker for clip in clips})})",
            "stratified": f"change manifest.{role}.ratios",
            "given": "choose another split",
            "protocol": "choose another split",
        }
        raise ValueError(f"{place} and leaves {', '.join(empty)} empty; {remedies[params.split]} or the corpus")
    if role == "affect" or params.split not in OVERLAPPING:
        disjoint.within(clips, part_of, f"manifest.{role}.split: {params.split}")
    return part_of


def fold_numbers(part_of: dict[str, str]) -> list[int]:
    """The folds in ascending order; none if the parts are train, val and test."""
    present = set(part_of.values())
    return [] if present & set(PARTS) else sorted(map(int, present))


def _few(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:8]) + (f", ... {names[-1]}" if len(names) > 8 else "")
