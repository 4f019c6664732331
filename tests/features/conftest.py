"""Tests of features run in a folder of their own."""

import pytest


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty folder, as working folder."""
    monkeypatch.chdir(tmp_path)
