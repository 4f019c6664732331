"""Fixtures that all tests share, and how the tests are spread over processes."""

import os
from pathlib import Path

# Before torch is imported, here and in every process that a test starts: two workers share two cores. Stages set
# their own number of threads from compute.threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file run in one worker, so that they share its fixtures; a mark of their own joins files."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS).as_posix()))


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
