"""Rows in memory read like the same rows in a FeatureStore, for all that the datasets ask of a store."""

import numpy as np
import pytest

from avemotion.datasets.memory_store import MemoryStore
from avemotion.formats import feature_store
from avemotion.formats.feature_store import CLEAN, FeatureStore


@pytest.fixture
def stores(tmp_path):
    """(on disk, in memory) of two clips with two arrays and two views, and one clip without sound."""
    rng = np.random.default_rng(0)

    def views(length):
        shapes = {"last": (length, 5), "boundary": (length, 3)}
        return {
            view: {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
            for view in (CLEAN, "snr_10")
        }

    rows = {"a": views(4), "b": None, "c": views(1)}
    facts = {"settings": {"model": "tiny"}}
    feature_store.write(tmp_path / "wavlm", [CLEAN, "snr_10"], rows.items(), facts)
    return FeatureStore(tmp_path / "wavlm"), MemoryStore(rows, facts)


def test_the_same_values(stores):
    disk, memory = stores
    for name in ("views", "missing", "settings"):
        assert getattr(disk, name) == getattr(memory, name), name
    assert sorted(disk.arrays) == sorted(memory.arrays)
    for array in disk.arrays:
        assert disk.dim(array) == memory.dim(array)
        for clip in ("a", "b", "c"):
            for view in disk.views:
                assert disk.length(clip, array, view) == memory.length(clip, array, view)
                expected, rows = disk.get(clip, array, view), memory.get(clip, array, view)
                assert rows.dtype == expected.dtype and rows.shape == expected.shape
                assert np.array_equal(rows, expected)


def test_nothing_but_missing_clips():
    store = MemoryStore({"a": None}, {"settings": {}})
    assert store.missing == ["a"] and store.length("a", "last") == 0 and store.arrays == []
