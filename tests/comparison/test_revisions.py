"""Predictions of a revision, copied from DVC's cache."""

import shutil

import pytest
from toy_project import run

from avemotion.comparison import revisions, runs


def test_cache_without_the_file(experiments, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(experiments, copy, symlinks=True)
    shutil.rmtree(copy / ".dvc/cache")
    monkeypatch.chdir(copy)
    for stages in (["fusion"], ["fusion", "va"]):  # files that are outs of their own, and files of a folder
        with pytest.raises(ValueError, match=r"corpus.json of better is not in DVC's cache; bring it with `dvc fetch`"):
            revisions.fetch("better", tmp_path / "out", stages)


def test_revision_without_results(experiments, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(experiments, copy, symlinks=True)
    run(copy, "git", "rm", "-q", "dvc.lock")
    run(copy, "git", "commit", "-q", "-m", "no results")
    monkeypatch.chdir(copy)
    with pytest.raises(revisions.NotRunError, match=r"HEAD has no data/manifest/emotion/corpus\.json; run its chain"):
        revisions.fetch("HEAD", tmp_path / "out", ["fusion"])


def test_outside_a_dvc_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no DVC project"):
        revisions.fetch("main", tmp_path / "out", ["fusion"])


@pytest.mark.parametrize(("error", "fault"), [(revisions.NotRunError, ""), (ValueError, "lost")])
def test_revision_that_never_ran_va(experiments, tmp_path, monkeypatch, error, fault):
    """It has the models of emotion alone; one whose va is lost is a fault."""
    monkeypatch.chdir(experiments)
    whole = revisions.fetch

    def fetch(revision, folder, stages):
        if "va" in stages:
            raise error("lost")
        return whole(revision, folder, stages)

    monkeypatch.setattr(revisions, "fetch", fetch)
    run_ = runs.revision("better", tmp_path / "out", "val")
    assert run_.fault == fault and set(run_.models) == (
        set() if fault else {"fusion", "pretrain_audio", "pretrain_video"}
    )
    assert fault or run_.models["fusion"].affect is None
