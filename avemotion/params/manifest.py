"""Sections `corpora`, `manifest` and `pretrain`: the params of the stage manifest."""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from avemotion.params.shared.compute import ComputeParams
from avemotion.params.shared.corpora import FACES, ROLES, Place, place
from avemotion.parsing import protocols, registry
from avemotion.system import params_file

# Class -> categories of IEMOCAP: the four classes of most papers, 5531 turns, excitement counted as happiness.
IEMOCAP4: dict[str, list[str]] = {"angry": ["ang"], "happy": ["hap", "exc"], "neutral": ["neu"], "sad": ["sad"]}
Labels = Literal["corpus", "coarse4", "iemocap4"] | dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Actors:
    """Speakers of val and test; all others are in train. A number is short for a name that ends in it (5: Actor_05)."""

    val: list[int | str]
    test: list[int | str]


@dataclass(frozen=True, kw_only=True)
class FewParams:
    """Section manifest.emotion.few: training on few speakers or clips; null = all of them."""

    speakers: int | None
    clips: int | None  # of each class, of all speakers in use together
    seed: int  # draws speakers and clips; a larger number contains those of a smaller one

    def __post_init__(self) -> None:
        for name in ("speakers", "clips"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more, or null for all")

    @property
    def used(self) -> bool:
        """Whether any clip may be left out."""
        return self.speakers is not None or self.clips is not None


@dataclass(frozen=True, kw_only=True)
class EmotionParams:
    """Section manifest.emotion."""

    # corpus: its own categories; coarse4: COARSE; iemocap4: IEMOCAP4; or class -> categories
    labels: Literal["corpus", "coarse4", "iemocap4"] | dict[str, list[str]]
    target: Literal["majority", "soft"]  # of training: the class, or the distribution of the raters' votes
    split: Literal["actor", "actor_kfold", "sessions", "speakers", "protocol", "given", "stratified"]
    protocol: str | None  # for split: protocol; a name of avemotion/protocols
    actors: Actors  # for split: actor
    folds: int  # for split: actor_kfold
    deal: int  # for split: actor_kfold; 0: in the order of names; N: the Nth other assignment of speakers to folds
    ratios: list[float]  # train, val, test; for split: stratified
    few: FewParams

    def __post_init__(self) -> None:
        if not isinstance(self.labels, str):
            check_mapping(self.labels)
        if self.protocol is not None:
            protocols.refuse_unknown(None, self.protocol)
        elif self.split == "protocol":
            known = ", ".join(f"{name} ({corpus})" for corpus, name in protocols.known())
            raise ValueError(f"protocol is null, but split is protocol; choose one of {known}")
        _check_folds(self.folds)
        _check_deal(self.deal)
        if len(self.ratios) != 3 or min(self.ratios) <= 0 or abs(sum(self.ratios) - 1) > 1e-6:
            raise ValueError(f"ratios is {self.ratios}; give train, val and test, each above 0, that sum to 1")
        for name, listed in vars(self.actors).items():
            if len(set(listed)) != len(listed):
                raise ValueError(f"actors.{name} is {listed}; name each speaker once")
        if both := sorted(set(self.actors.val) & set(self.actors.test), key=str):
            raise ValueError(f"actors has {', '.join(map(str, both))} in both val and test; leave each in one of them")


@dataclass(frozen=True, kw_only=True)
class AffectParams:
    """Section manifest.affect."""

    split: Literal["sessions", "speakers", "given"]
    folds: int  # for split: speakers
    deal: int  # for split: speakers; as in EmotionParams

    def __post_init__(self) -> None:
        _check_folds(self.folds)
        _check_deal(self.deal)


@dataclass(frozen=True, kw_only=True)
class FacesParams:
    """Section manifest.faces. The split is the corpus's own, as far as it has one."""

    held_out: float  # share of the training pictures that validates, or tests, where the corpus has no such part
    split: ClassVar[str] = "given"

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 0.5:
            raise ValueError(f"held_out is {self.held_out}; give a share above 0 and below 0.5")


def check_mapping(mapping: dict[str, list[str]]) -> None:
    """Raises ValueError if a mapping of labels has one class, a class without categories, or a category twice."""
    if len(mapping) < 2:
        raise ValueError(f"labels names the classes {list(mapping)}; give two or more, such as {{happy: [hap, exc]}}")
    class_of: dict[str, str] = {}
    for name, categories in mapping.items():
        if not categories:
            raise ValueError(f"labels.{name} is []; name the corpus's categories that belong to it")
        for category in categories:
            if category in class_of:
                raise ValueError(
                    f"labels.{name} takes {category}, as labels.{class_of[category]} does; leave it in one"
                )
            class_of[category] = name


def _check_folds(count: int) -> None:
    if count < 3:
        raise ValueError(f"folds is {count}; testing, validating and training take three or more")


def _check_deal(number: int) -> None:
    if number < 0:
        raise ValueError(f"deal is {number}; give 0 (speakers in the order of their names) or more")


@dataclass(frozen=True, kw_only=True)
class PretrainParams:
    """Section pretrain."""

    per_fold: bool  # trains emotion models for each fold of va, so that one corpus may have both roles


@dataclass(frozen=True, kw_only=True)
class ManifestParams:
    """Section manifest, without the options of the parsers."""

    seed: int  # of split stratified and of faces.held_out; another training seed thus keeps the split
    max_rejected: float  # largest share of damaged clips
    emotion: EmotionParams
    affect: AffectParams
    faces: FacesParams

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejected <= 1:
            raise ValueError(f"max_rejected is {self.max_rejected}; give a share from 0 to 1")

    def options(self, corpus: str) -> Any:
        """The params of a corpus's parser, manifest.<corpus>; None where the parser has none."""
        return getattr(self, corpus, None)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    compute: ComputeParams = field(repr=False)
    corpora: dict[str, Place]  # by role, without a role that has no corpus
    manifest: ManifestParams
    pretrain: PretrainParams


def configure(file: Path) -> Config:
    """Read and check this stage's params.

    Raises:
        ValueError: a value is not as expected, or pretrain.per_fold is true without both roles.
    """
    config = Config(
        compute=params_file.read(file, "compute", ComputeParams),
        corpora=_corpora(file),
        manifest=params_file.read(file, "manifest", _section()),
        pretrain=params_file.read(file, "pretrain", PretrainParams),
    )
    emotion = config.manifest.emotion
    if emotion.split == "protocol" and "emotion" in config.corpora and not config.pretrain.per_fold:
        try:
            protocols.refuse_unknown(config.corpora["emotion"].name, str(emotion.protocol))
        except ValueError as error:
            raise ValueError(f"{file}: manifest.emotion.{error}") from error
    named = [role for role in ROLES if role in config.corpora]
    if config.pretrain.per_fold and len(named) < len(ROLES):
        raise ValueError(
            f"{file}: pretrain.per_fold is true, but only corpora.{named[0]} names a corpus; set per_fold to false"
        )
    return config


def _corpora(file: Path) -> dict[str, Place]:
    places = {role: corpus for role in (*ROLES, FACES) if (corpus := place(file, role)) is not None}
    known = ", ".join(registry.names())
    if not places.keys() & set(ROLES):
        raise ValueError(f"{file}: corpora names no corpus for either role; name one of {known}")
    for role, corpus in places.items():
        if corpus.name not in registry.names():
            raise ValueError(
                f"{file}: corpora.{role}.name is {corpus.name!r}; choose one of {known}, or null for no corpus"
            )
    return places


def _section() -> type[ManifestParams]:
    """ManifestParams with one more field for each corpus whose parser has options."""
    parsers = [(name, registry.corpus(name).params) for name in registry.names()]
    return make_dataclass(
        "ManifestSection",
        [(name, options) for name, options in parsers if options is not None],
        bases=(ManifestParams,),
        frozen=True,
        kw_only=True,
    )


SPLIT_KEYS = ("split", "protocol", "actors", "folds", "deal", "ratios")  # of manifest.emotion
USED_BY = {
    "actor": ("actors",),
    "actor_kfold": ("folds", "deal"),
    "protocol": ("protocol",),
    "stratified": ("ratios",),
}  # split -> the keys that it reads


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    reasons: dict[str, str] = {}
    emotion, affect = config.manifest.emotion, config.manifest.affect
    if "emotion" not in config.corpora:
        reasons["manifest.emotion"] = "corpora.emotion names no corpus"
    elif config.pretrain.per_fold:
        for key in SPLIT_KEYS:
            reasons[f"manifest.emotion.{key}"] = "pretrain.per_fold is true: the emotion role has the folds of affect"
    else:
        for key in SPLIT_KEYS[1:]:
            if key in USED_BY.get(emotion.split, ()):
                continue
            reasons[f"manifest.emotion.{key}"] = f"manifest.emotion.split is {emotion.split}"
    if "emotion" in config.corpora and not emotion.few.used:
        reasons["manifest.emotion.few.seed"] = "manifest.emotion.few names neither speakers nor clips"
    if FACES not in config.corpora:
        reasons["manifest.faces"] = "corpora.faces names no corpus"
    if FACES not in config.corpora and ("emotion" not in config.corpora or emotion.split != "stratified"):
        reasons["manifest.seed"] = "no split is stratified"
    if "affect" not in config.corpora:
        reasons["manifest.affect"] = "corpora.affect names no corpus"
    elif affect.split != "speakers":
        for key in ("folds", "deal"):
            reasons[f"manifest.affect.{key}"] = f"manifest.affect.split is {affect.split}"
    in_use = {corpus.name for corpus in config.corpora.values()}
    for name in registry.names():
        if name not in in_use and config.manifest.options(name) is not None:
            reasons[f"manifest.{name}"] = f"no role uses {name}"
    return dict(sorted(reasons.items()))
