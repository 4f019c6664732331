"""Published protocols by corpus and name: each is one file avemotion/protocols/<corpus>_<name>.py of plain constants.

CORPUS     name of the corpus
SOURCE     where the lists are published
FOLDS      test fold -> its speakers; a number is short for a name that ends in it
VALIDATES  optional: test fold -> the fold that validates; by default the next one
TEST       in place of FOLDS: ids of the test clips, separated by blanks; VALIDATION the same, optional
"""

from dataclasses import dataclass

from avemotion.system import plugins

PACKAGE = "avemotion.protocols"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One protocol: folds of speakers, or lists of clips."""

    name: str
    source: str
    folds: dict[int, list[int | str]]  # empty where clips are listed
    validates: dict[int, int]  # empty: the next fold validates
    test: frozenset[str]  # clip ids; empty where folds are listed
    validation: frozenset[str]


def names(corpus: str) -> tuple[str, ...]:
    """Names of a corpus's protocols, sorted."""
    return tuple(name for of, name in known() if of == corpus)


def known() -> tuple[tuple[str, str], ...]:
    """(corpus, name) of every protocol, sorted."""
    parts = ((plugins.constant(PACKAGE, file, "CORPUS"), file) for file in plugins.names(PACKAGE))
    return tuple(sorted((corpus, file.removeprefix(f"{corpus}_")) for corpus, file in parts))


def refuse_unknown(corpus: str | None, name: str) -> None:
    """Check that a corpus has a protocol.

    Args:
        corpus: None checks only that some corpus has it.

    Raises:
        ValueError: it has none of this name; starts with "protocol is".
    """
    if any(known_name == name and corpus in (None, of) for of, known_name in known()):
        return
    others = [of for of, known_name in known() if known_name == name]
    reason = f", which is one of {', '.join(others)}" if others else ""
    listed = ", ".join(names(corpus)) if corpus else ", ".join(sorted({name for _, name in known()}))
    remedy = f"choose one of {listed}" if listed else "choose another split"
    raise ValueError(f"protocol is {name!r}{reason}; {remedy}" + (f" ({corpus})" if corpus else ""))


def read(corpus: str, name: str) -> Protocol:
    """A protocol of a corpus.

    Raises:
        ValueError: the corpus has no protocol of this name.
    """
    refuse_unknown(corpus, name)
    file = f"{corpus}_{name}"
    constants = {
        key: plugins.constant(PACKAGE, file, key) for key in ("SOURCE", "FOLDS", "VALIDATES", "TEST", "VALIDATION")
    }
    folds, test = constants["FOLDS"] or {}, frozenset((constants["TEST"] or "").split())
    assert constants["SOURCE"] and bool(folds) != bool(test), f"{file}: SOURCE, and FOLDS or TEST"
    validates = constants["VALIDATES"] or {}
    # Each fold validates once, so that scores of all validation clips are scores of each clip once.
    assert not validates or (set(validates) == set(folds) == set(validates.values())), file
    return Protocol(
        name=name,
        source=constants["SOURCE"],
        folds=folds,
        validates=validates,
        test=test,
        validation=frozenset((constants["VALIDATION"] or "").split()),
    )
