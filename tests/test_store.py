"""The feature folder and the way to it: checks on reading, resuming after a kill, the same bytes always."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from recordings import voice, write_manifest, write_params

from stages import features
from stages.lib import source_code
from stages.lib.compute import ComputeParams
from stages.lib.data import clips
from stages.lib.features import extraction, store

REPO = Path(__file__).resolve().parents[1]
SERIAL = ComputeParams(device="cpu", threads=1, workers=1, loader_workers=0)


def rows_of(seed, lengths, dim=3):
    rng = np.random.default_rng(seed)
    return {
        view: {"states": rng.random((n, dim), np.float32), "count": np.array([n], np.int32)}
        for view, n in lengths.items()
    }


@pytest.fixture
def written(tmp_path):
    """(folder, what was written): the first and the last clip are missing."""
    content = {"b": rows_of(1, {"clean": 4, "5dB": 2}), "c": rows_of(2, {"clean": 0, "5dB": 3})}
    clips_ = [("a", None), ("b", content["b"]), ("c", content["c"]), ("d", None)]
    store.write(tmp_path / "wavlm", ["clean", "5dB"], clips_, {"model": "tiny"})
    return tmp_path / "wavlm", content


def test_reader_gives_back_every_row(written):
    folder, content = written
    reader = store.FeatureStore(folder)
    assert (reader.ids, reader.views, reader.missing) == (["a", "b", "c", "d"], ["clean", "5dB"], ["a", "d"])
    assert reader.facts == {"model": "tiny"} and reader.dim("states") == (3,)
    for clip, views in content.items():
        for view, arrays in views.items():
            for name, rows in arrays.items():
                np.testing.assert_array_equal(reader.get(clip, name, view), rows)
                assert reader.length(clip, name, view) == len(rows)
    assert reader.length("a", "states") == 0 and reader.get("d", "states").shape == (0, 3)
    plain = np.load(folder / "states.npy")  # an ordinary .npy: readable without this project
    np.testing.assert_array_equal(plain[:6], np.concatenate([content["b"][v]["states"] for v in ("clean", "5dB")]))


def test_slices_are_views_of_the_file_and_workers_open_it_themselves(written):
    reader = store.FeatureStore(written[0])
    rows = reader.get("b", "states")
    assert isinstance(rows.base, np.memmap) or isinstance(rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 1
    assert len(pickle.dumps(reader)) < 500
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)).get("b", "states"), rows)


def test_no_clip_has_the_modality(tmp_path):
    store.write(tmp_path / "frames", ["clean"], [("a", None)], {})
    reader = store.FeatureStore(tmp_path / "frames")
    assert reader.length("a", "frames") == 0


@pytest.mark.parametrize("name", ["states.npy", "index.json"])
def test_truncated_files_are_named_with_the_remedy(written, name):
    path = written[0] / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=rf"{name}: .*delete .*wavlm and run `dvc repro`"):
        store.FeatureStore(written[0])


def test_array_of_another_run_is_refused(written):
    np.save(written[0] / "states.npy", np.zeros((10, 3), np.float32))
    with pytest.raises(ValueError, match=r"states\.npy: holds <f4 \[10, 3\], the index says <f4 \[9, 3\]"):
        store.FeatureStore(written[0])
    np.save(written[0] / "states.npy", np.zeros((9, 3), np.int32))
    with pytest.raises(ValueError, match=r"holds <i4 \[9, 3\]"):
        store.FeatureStore(written[0])
    (written[0] / "states.npy").unlink()
    with pytest.raises(ValueError, match=r"states\.npy"):
        store.FeatureStore(written[0])
    with pytest.raises(ValueError, match=r"index\.json: no such file; run `dvc repro`"):
        store.FeatureStore(written[0] / "nowhere")


@pytest.mark.parametrize("query", [("x", "states"), ("b", "last"), ("b", "states", "20dB")])
def test_unknown_names_are_errors(written, query):
    with pytest.raises(ValueError, match=r"no '(x|last|20dB)'"):
        store.FeatureStore(written[0]).get(*query)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """An extractor that notes which clips it saw and fails on request."""

    level: float
    modality = "audio"
    views = ("clean",)
    seen = []  # noqa: RUF012 (shared on purpose: what the test looks at)
    fails = set()  # noqa: RUF012

    def facts(self):
        return {"level": self.level}

    def extract(self, clip, root):
        if clip.id in self.fails:
            raise ValueError(f"{clip.audio}: broken; repair it")
        self.seen.append(clip.id)
        rows = np.full((len(clip.id), 2), self.level + len(self.seen) * 0, np.float32)
        return {"clean": {"rows": rows}}, {"odd": len(clip.id) % 2}


@pytest.fixture
def counting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Counting.seen.clear()
    Counting.fails.clear()

    def extract(names, level=1.0, **hashes):
        found = [
            clips.ClipMedia(
                id=name, audio=f"{name}.wav", video=None, video_start=None, video_end=None, video_crop=None,
                duration=1.0, audio_hash=hashes.get(name, "0"), video_hash=None,
            )
            for name in names
        ]  # fmt: skip
        Counting.seen.clear()
        extraction.run(
            Counting(level=level), found, root=Path("corpus"), out=Path("out"), work=Path("work"),
            compute=SERIAL, label="counting",
        )  # fmt: skip
        return list(Counting.seen)

    return extract


def test_finished_clips_are_kept_when_one_fails(counting):
    Counting.fails.add("ccc")
    with pytest.raises(ValueError, match=r"ccc\.wav: broken; repair it"):
        counting(["a", "bb", "ccc", "dd"])
    assert not Path("out").exists()
    Counting.fails.clear()
    assert counting(["a", "bb", "ccc", "dd"]) == ["ccc", "dd"]
    assert not Path("work").exists()
    reader = store.FeatureStore(Path("out"))
    assert [reader.length(clip, "rows") for clip in reader.ids] == [1, 2, 3, 2]
    assert reader.facts == {"level": 1.0, "settings": {"level": 1.0}, "counts": {"odd": 2}}
    assert reader.settings == {"level": 1.0}


def test_what_was_finished_under_other_conditions_is_not_used(counting):
    for changed in ({"level": 2.0}, {"a": "another hash"}):
        Counting.fails.add("dd")
        with pytest.raises(ValueError, match="dd"):
            counting(["a", "bb", "dd"])
        Counting.fails.clear()
        redone = counting(["a", "bb", "dd"], **changed)
        assert redone == (["a", "bb", "dd"] if "level" in changed else ["a", "dd"])


def test_half_written_clips_are_not_read(counting):
    Counting.fails.add("bb")
    with pytest.raises(ValueError, match="bb"):
        counting(["a", "bb"])
    (finished,) = Path("work").glob("*/*.npz")
    half = finished.with_name(finished.name + ".123")  # as a killed writer leaves it
    half.write_bytes(finished.read_bytes()[:50])
    finished.unlink()
    Counting.fails.clear()
    assert counting(["a", "bb"]) == ["a", "bb"]


def outputs(folder=Path("data/features")):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def path_with_repo():
    return os.pathsep.join([str(REPO), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_killed_extraction_goes_on_and_gives_the_same_bytes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_params()
    write_manifest({f"clip{i:02}": voice(10, 100 + 10 * i, i) for i in range(10)})
    arguments = ["stages.features", "prosody", "--role", "emotion"]
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=os.environ | {"PYTHONPATH": path_with_repo()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(list(Path("data/work").rglob("*.npz"))) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = len(list(Path("data/work").rglob("*.npz")))
    assert 3 <= finished < 10 and not Path("data/features/prosody/emotion").exists()

    monkeypatch.setattr(sys, "argv", arguments)
    features.main()
    assert f"10 clips, {finished} finished before" in capsys.readouterr().out
    assert not list(Path("data/work").rglob("*.npz"))
    after_kill = outputs()
    shutil.rmtree("data/features")
    features.main()
    assert "finished before" not in capsys.readouterr().out
    assert outputs() == after_kill and len(after_kill) == 2


def test_worker_count_does_not_change_a_byte(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extraction, "WORKERS_PAY", 0.0)
    monkeypatch.setenv("PYTHONPATH", path_with_repo())
    write_manifest({f"clip{i:02}": voice(1 + i / 10, 100 + 10 * i, i) for i in range(12)})
    monkeypatch.setattr(sys, "argv", ["stages.features", "mel", "--role", "emotion"])
    results = []
    for workers in (1, 2):
        write_params({"compute.workers": workers})
        features.main()
        results.append(outputs())
    assert results[0] == results[1]
    assert set(results[0]) == {"mel/emotion/index.json", "mel/emotion/mel.npy", "mel/emotion/length.npy"}


def test_worker_processes_are_used_when_they_pay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params()
    calls = []
    monkeypatch.setattr(
        extraction, "parallel", lambda function, units, *_: calls.append(len(units)) or map(function, units)
    )
    for pay, expected in ((1e9, []), (0.0, [3])):
        calls.clear()
        monkeypatch.setattr(extraction, "WORKERS_PAY", pay)
        found = [f"{i:02}" for i in range(extraction.PROBE + 4)]
        done = []
        two = ComputeParams(device="cpu", threads=1, workers=2, loader_workers=0)
        extraction._extract_all(done.append, found, two, "counting")
        assert (calls, done) == (expected, found)


def test_broken_recording_stops_with_its_name_and_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params()
    write_manifest({"a": voice(1, 120, 0), "b": None, "c": voice(1, 130, 1)})
    good = Path("corpus/c.wav").read_bytes()
    Path("corpus/c.wav").write_bytes(b"not a recording")
    monkeypatch.setattr(sys, "argv", ["features", "prosody", "--role", "affect"])
    with pytest.raises(ValueError, match=r"corpus/c\.wav: .*repair or remove"):
        features.main()
    assert len(list(Path("data/work").rglob("*.npz"))) == 1
    Path("corpus/c.wav").write_bytes(good)
    features.main()
    reader = store.FeatureStore(Path("data/features/prosody/affect"))
    assert reader.missing == ["b"] and [reader.length(clip, "functionals") for clip in "abc"] == [1, 0, 1]


def test_source_code_of_an_extractor_is_its_own_import_closure():
    def names(kind):
        return {
            path.relative_to(REPO / "stages").as_posix() for path in source_code.sources(f"stages.lib.features.{kind}")
        }

    assert {"lib/features/mel.py", "lib/features/noise.py", "lib/media/audio.py", "lib/params.py"} <= names("mel")
    assert "lib/models/wavlm.py" in names("wavlm") and "lib/models/wavlm.py" not in names("mel")
    assert "lib/media/video.py" in names("frames") and "lib/media/audio.py" not in names("frames")
    assert not any(name.endswith("labels.py") for kind in features.KINDS for name in names(kind))
