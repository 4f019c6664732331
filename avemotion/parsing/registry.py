"""The corpora by the name that corpora.<role>.name takes: one file in avemotion/corpora each."""

from avemotion.parsing.clip import Corpus
from avemotion.system import plugins

PACKAGE = "avemotion.corpora"


def names() -> tuple[str, ...]:
    """Names of all corpora, sorted."""
    return plugins.names(PACKAGE)


def corpus(name: str) -> Corpus:
    """How a corpus is read and used."""
    return plugins.load(PACKAGE, name).CORPUS


def with_ratings() -> list[str]:
    """Names of the corpora that carry valence and arousal by themselves."""
    return [name for name in names() if corpus(name).scale]
