"""Every parser: complete, and safe on folders with faults."""

import os

import pytest
from corpus_trees import ravdess, ravdess_ids

from avemotion.corpora import ravdess as ravdess_corpus
from avemotion.parsing import registry
from avemotion.parsing.clip import COARSE

SPEECH = ravdess_corpus.Params(channels=["speech"])


def test_every_corpus_is_complete():
    for name in registry.names():
        corpus = registry.corpus(name)
        assert name.isidentifier()
        assert set(corpus.coarse.values()) <= set(COARSE)
        if corpus.emotions:
            assert set(corpus.coarse) | corpus.unlabelled == set(corpus.emotions)


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    ravdess(tmp_path, ravdess_ids([1], [1]))
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("Actor_01"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ValueError, match=r"Actor_01: cannot be listed \(Permission denied\)"):
        ravdess_corpus.list_clips(tmp_path, SPEECH)
