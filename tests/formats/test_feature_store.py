"""The feature folder: what was written is read again, and what was not is noticed."""

import pickle
import re

import numpy as np
import pytest

from avemotion.formats import feature_store


def rows_of(seed, lengths, dim=3):
    rng = np.random.default_rng(seed)
    return {
        view: {"states": rng.random((n, dim), np.float32), "count": np.array([n], np.int32)}
        for view, n in lengths.items()
    }


@pytest.fixture
def written(tmp_path):
    """(folder, what was written): the first and the last clip are missing."""
    content = {"b": rows_of(1, {"clean": 4, "snr_5": 2}), "c": rows_of(2, {"clean": 0, "snr_5": 3})}
    clips_ = [("a", None), ("b", content["b"]), ("c", content["c"]), ("d", None)]
    feature_store.write(tmp_path / "wavlm", ["clean", "snr_5"], clips_, {"model": "tiny"})
    return tmp_path / "wavlm", content


def test_reader_gives_back_every_row(written):
    folder, content = written
    reader = feature_store.FeatureStore(folder)
    assert (reader.ids, reader.views, reader.missing) == (["a", "b", "c", "d"], ["clean", "snr_5"], ["a", "d"])
    assert reader.facts == {"model": "tiny"} and reader.dim("states") == (3,)
    for clip, views in content.items():
        for view, arrays in views.items():
            for name, rows in arrays.items():
                np.testing.assert_array_equal(reader.get(clip, name, view), rows)
                assert reader.length(clip, name, view) == len(rows)
    assert reader.length("a", "states") == 0 and reader.get("d", "states").shape == (0, 3)
    plain = np.load(folder / "states.npy")  # an ordinary .npy: readable without this project
    np.testing.assert_array_equal(plain[:6], np.concatenate([content["b"][v]["states"] for v in ("clean", "snr_5")]))


def test_slices_are_views_of_the_file_and_workers_open_it_themselves(written):
    reader = feature_store.FeatureStore(written[0])
    rows = reader.get("b", "states")
    assert isinstance(rows.base, np.memmap) or isinstance(rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 1
    assert len(pickle.dumps(reader)) < 500
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)).get("b", "states"), rows)


def test_no_clip_has_the_modality(tmp_path):
    feature_store.write(tmp_path / "frames", ["clean"], [("a", None)], {})
    reader = feature_store.FeatureStore(tmp_path / "frames")
    assert reader.length("a", "frames") == 0


@pytest.mark.parametrize("name", ["states.npy", "index.json"])
def test_truncated_files_are_named_with_the_remedy(written, name):
    path = written[0] / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=rf"{name}: .*delete .*wavlm and run `dvc repro`"):
        feature_store.FeatureStore(written[0])


@pytest.mark.parametrize("name", ["index.json", "states.npy"])
def test_whatever_the_damage_the_file_is_named(written, name):
    file = written[0] / name
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    drawn = [rng.bytes(size) for size in (0, 1, 9, 100, 5000)]
    for _ in range(60):  # of the header
        content = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 128), 4):
            content[place] ^= int(rng.integers(1, 256))
        drawn.append(bytes(content))
    for content in drawn:
        file.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(file.parent))):
            feature_store.FeatureStore(written[0]).verify()


def test_array_of_another_run_is_refused(written):
    np.save(written[0] / "states.npy", np.zeros((10, 3), np.float32))
    with pytest.raises(ValueError, match=r"states\.npy: holds <f4 \[10, 3\], the index has <f4 \[9, 3\]"):
        feature_store.FeatureStore(written[0])
    np.save(written[0] / "states.npy", np.zeros((9, 3), np.int32))
    with pytest.raises(ValueError, match=r"holds <i4 \[9, 3\]"):
        feature_store.FeatureStore(written[0])
    (written[0] / "states.npy").unlink()
    with pytest.raises(ValueError, match=r"states\.npy"):
        feature_store.FeatureStore(written[0])
    with pytest.raises(ValueError, match=r"index\.json: no such file; run `dvc repro`"):
        feature_store.FeatureStore(written[0] / "nowhere")


@pytest.mark.parametrize(("array", "at", "clip"), [("states", 0, "b"), ("states", -1, "c"), ("count", -3, "c")])
def test_flipped_bit_names_file_clip_and_remedy(written, array, at, clip):
    reader = feature_store.FeatureStore(written[0])
    reader.verify()
    path = written[0] / f"{array}.npy"
    content = bytearray(path.read_bytes())
    content[128 if at == 0 else at] ^= 4  # numpy's header is 128 bytes
    path.write_bytes(content)
    damaged = feature_store.FeatureStore(written[0])  # sizes are right
    expected = rf"{array}\.npy: clip '{clip}' is not what .*delete .*wavlm and run `dvc repro`"
    with pytest.raises(ValueError, match=expected):
        damaged.verify()
    other = {"b": "c", "c": "b"}[clip]
    np.testing.assert_array_equal(damaged.checked(other)["snr_5"]["states"], written[1][other]["snr_5"]["states"])
    assert damaged.checked("a") is None


def test_changed_index_is_noticed_on_opening(written):
    path = written[0] / "index.json"
    path.write_text(path.read_text().replace('"tiny"', '"base"'))
    with pytest.raises(ValueError, match=r"index\.json: its checksum differs; delete"):
        feature_store.FeatureStore(written[0])
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"index\.json: no index of this version"):
        feature_store.FeatureStore(written[0])


@pytest.mark.parametrize("query", [("x", "states"), ("b", "last"), ("b", "states", "snr_20")])
def test_unknown_names_are_errors(written, query):
    with pytest.raises(ValueError, match=r"no '(x|last|snr_20)'"):
        feature_store.FeatureStore(written[0]).get(*query)
