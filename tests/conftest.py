"""Fixtures that all tests share."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import avemotion.system.environment  # noqa: F401  fixes kernels before a test module imports torch or numpy

# Before torch is imported, here and in every process that a test starts: two workers share two cores. Stages set
# their own number of threads from compute.threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    """Let Python keep bytecode in pytest's cache where it writes none: importing torch then takes half as long.

    Tests start about a hundred interpreters. They and the workers inherit these variables.
    """
    if sys.dont_write_bytecode and hasattr(config, "cache"):
        folder = config.cache.mkdir("bytecode")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(folder)
        sys.dont_write_bytecode = False


@pytest.fixture
def seeded():
    """torch's generator from a fixed seed, and as it was before afterwards."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def set_up():
    """The project's own setup for training on one thread, and torch as it was before afterwards."""
    import torch
    from project_params import SERIAL

    from avemotion.system import runtime

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        runtime.setup(0, SERIAL)
        yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


@pytest.fixture(scope="session")
def small_corpora(tmp_path_factory) -> Path:
    """RAVDESS with four actors and IEMOCAP with three sessions, of tiny media."""
    import corpus_trees

    root = tmp_path_factory.mktemp("corpora")
    corpus_trees.ravdess(root / "ravdess", corpus_trees.ravdess_ids(corpus_trees.ACTORS))
    corpus_trees.iemocap(root / "iemocap")
    return root


@pytest.fixture
def project(tmp_path, small_corpora, monkeypatch) -> Path:
    """A folder with both small corpora in data/, as working folder."""
    shutil.copytree(small_corpora, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """(features, labels) of 16 dialogues whose mood drifts."""
    from drifting import drifting

    return drifting(tmp_path_factory.mktemp("turns") / "features")


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """A folder with made-up results of all training stages."""
    import results_toys

    return results_toys.make(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def evaluated(results, tmp_path_factory) -> Path:
    """The same after the stages evaluate and report."""
    import results_toys

    root = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(results, root)
    return results_toys.run(root)


@pytest.fixture
def copied(results, tmp_path) -> Path:
    """Results of one's own, to change."""
    root = tmp_path / "project"
    shutil.copytree(results, root)
    return root


@pytest.fixture(scope="session")
def experiments(tmp_path_factory) -> Path:
    """A DVC project. main: xattn. Experiments: better (gated), noisy (va), relabelled (labels changed)."""
    from toy_project import make

    changes = {"better": "fusion.mode=gated", "noisy": "va.noise=3.0", "relabelled": "manifest.shift=1"}
    commands = []
    for name, change in changes.items():
        commands += [f"dvc exp run -q -n {name} -S {change}", "git checkout -q ."]
    return make(tmp_path_factory.mktemp("experiments") / "project", *commands, "dvc checkout -q")


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A workspace with models of six clips, by the stages themselves."""
    import trained_project

    return trained_project.build(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def trained_here(trained, monkeypatch) -> None:
    """That workspace as working folder."""
    monkeypatch.chdir(trained)


@pytest.fixture
def own(trained, tmp_path, monkeypatch) -> Path:
    """A workspace of one's own, to break, as working folder."""
    shutil.copytree(trained, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"
