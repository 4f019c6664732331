"""The corpora by the name that corpora.<role>.name takes."""

from stages.lib.corpora import iemocap, ravdess
from stages.lib.corpora.clip import Corpus

CORPORA: dict[str, Corpus] = {"iemocap": iemocap.CORPUS, "ravdess": ravdess.CORPUS}
