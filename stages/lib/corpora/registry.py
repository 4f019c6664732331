"""The corpora by the name that corpora.<role>.name takes."""

from stages.lib.corpora import cremad, csv, iemocap, meld, msp_improv, msp_podcast, ravdess, savee
from stages.lib.corpora.clip import Corpus

CORPORA: dict[str, Corpus] = {
    "cremad": cremad.CORPUS,
    "csv": csv.CORPUS,
    "iemocap": iemocap.CORPUS,
    "meld": meld.CORPUS,
    "msp_improv": msp_improv.CORPUS,
    "msp_podcast": msp_podcast.CORPUS,
    "ravdess": ravdess.CORPUS,
    "savee": savee.CORPUS,
}
