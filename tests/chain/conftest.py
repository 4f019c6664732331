"""The chain by DVC once, for all tests of the chain."""

import shutil
from pathlib import Path

import pytest
from chain import reproduce


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory) -> Path:
    """A clone in which `dvc repro` has run with two workers."""
    return reproduce(tmp_path_factory.mktemp("chain") / "clone", {})


@pytest.fixture
def with_sample(reproduced, tmp_path) -> Path:
    """A folder with nothing but the sample corpora."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sample").symlink_to(reproduced / "data/sample")
    shutil.copytree(reproduced / "data/Noise", tmp_path / "data/Noise")
    (tmp_path / "data/none").mkdir()
    return tmp_path
