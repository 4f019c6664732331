"""The corpora by name (values of corpora.<role>.name): each is one file in avemotion/corpora."""

from avemotion.parsing.clip import Corpus
from avemotion.system import plugins

PACKAGE = "avemotion.corpora"


def names() -> tuple[str, ...]:
    """Names of all corpora, sorted."""
    return plugins.names(PACKAGE)


def corpus(name: str) -> Corpus:
    """The record CORPUS in the file of a corpus."""
    return plugins.load(PACKAGE, name).CORPUS


def with_ratings() -> list[str]:
    """Names of the corpora of sound with ratings of valence and arousal, without csv, whose table may have some."""
    return [name for name in names() if corpus(name).scale and not corpus(name).stills]
