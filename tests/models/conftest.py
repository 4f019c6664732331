"""Every test of a model starts from the same random numbers."""

import pytest


@pytest.fixture(autouse=True)
def same_start(seeded):
    """Seeded, without being asked for."""
