"""Still pictures of your own: `happy/one.jpg`, or `train/happy/one.jpg` beside `val` and `test`; folders name emotions.

Other corpora of stills come in this form too: RAF-DB, ExpW, CK+ after sorting, AffectNet as folders.
"""

from pathlib import Path

from avemotion.corpora.csv import CORPUS as TABLE
from avemotion.parsing.clip import Clip, Corpus, Reject
from avemotion.parsing.picture_folders import list_pictures


def list_clips(root: Path, params: None) -> tuple[list[Clip], list[Reject]]:
    """Every picture with the name of its folder as category (parsing/picture_folders.py)."""
    return list_pictures(root)


CORPUS = Corpus(
    params=None,
    list_clips=list_clips,
    emotions=None,
    coarse=TABLE.coarse,
    unlabelled=frozenset(),
    scale=None,
    uniform=True,
    whole=None,
    stills=True,
)
