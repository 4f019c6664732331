"""From clips to a feature folder: resuming, adding clips, full disks, two at once; the same bytes always."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
import pytest
import toy_project
from recordings import voice, write_manifest, write_params

from avemotion.extraction import extraction
from avemotion.formats import clips, feature_store
from avemotion.system.media_error import MediaError
from avemotion.system import source_code
from avemotion.params.shared.compute import ComputeParams

from stages import features

REPO = Path(__file__).resolve().parents[1]
SERIAL = ComputeParams(device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """An extractor that notes which clips it saw and fails on request."""

    level: float
    modality = "audio"
    views = ("clean",)
    seen = []  # noqa: RUF012 (shared on purpose: what the test looks at)
    fails = set()  # noqa: RUF012
    broken = set()  # noqa: RUF012

    def facts(self):
        return {"level": self.level}

    def extract(self, clip, root):
        if clip.id in self.fails:
            raise ValueError(f"features.counting.model is not there for {clip.id}; download it")
        if clip.id in self.broken:
            raise MediaError(root / clip.audio, "broken; repair it")
        self.seen.append(clip.id)
        rows = np.full((len(clip.id), 2), self.level + len(self.seen) * 0, np.float32)
        return {"clean": {"rows": rows}}, {"odd": len(clip.id) % 2}


@pytest.fixture
def counting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Counting.seen.clear()
    Counting.fails.clear()
    Counting.broken.clear()

    def extract(names, level=1.0, max_rejected=0.0, **hashes):
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
            compute=SERIAL, label="counting", max_rejected=max_rejected,
        )  # fmt: skip
        return list(Counting.seen)

    return extract


def test_finished_clips_are_kept_when_one_fails(counting):
    Counting.fails.add("ccc")
    with pytest.raises(ValueError, match=r"counting\.model is not there"):
        counting(["a", "bb", "ccc", "dd"], max_rejected=1.0)
    assert not Path("out").exists()
    Counting.fails.clear()
    assert counting(["a", "bb", "ccc", "dd"]) == ["ccc", "dd"]
    assert not list(Path("work").rglob("*.npz"))
    reader = feature_store.FeatureStore(Path("out"))
    assert [reader.length(clip, "rows") for clip in reader.ids] == [1, 2, 3, 2]
    assert reader.facts == {"level": 1.0, "settings": {"level": 1.0}, "counts": {"odd": 2}, "rounding": {}}
    assert reader.settings == {"level": 1.0}


def test_a_clip_that_cannot_be_extracted_is_listed_and_no_other_is_lost(counting, capsys):
    names = ["a", "bb", "ccc", "dd"]
    fresh = counting(names)
    Counting.broken.add("bb")
    assert counting(names, level=2.0, max_rejected=0.25) == ["a", "ccc", "dd"]
    assert Path("out/rejected.csv").read_text() == "id,path,reason\nbb,bb.wav,broken; repair it\n"
    assert "counting: without audio: bb (bb.wav: broken; repair it)" in capsys.readouterr().out
    reader = feature_store.FeatureStore(Path("out"))
    assert reader.ids == names and reader.missing == ["bb"]
    assert [reader.length(clip, "rows") for clip in names] == [1, 0, 3, 2]
    reader.verify()
    assert counting(names, level=2.0, max_rejected=0.25) == []  # the others are not redone, the broken one is tried
    Counting.broken.clear()
    assert counting(names, level=2.0) == ["bb"] and not Path("out/rejected.csv").exists()
    shutil.rmtree("work")
    assert counting(names) == fresh


def test_too_many_that_cannot_be_extracted_stop_the_stage_with_a_summary(counting):
    Counting.broken |= {"bb", "dd"}
    with pytest.raises(
        ValueError,
        match=r"counting: 2 of 4 clips cannot be extracted \(50.0%; manifest.max_rejected is 0.49\), such as bb.wav: "
        r"broken; repair it. See tmp/features/counting.csv",
    ):
        counting(["a", "bb", "ccc", "dd"], max_rejected=0.49)
    assert len(Path("tmp/features/counting.csv").read_text().splitlines()) == 3 and not Path("out").exists()
    assert len(list(Path("work").rglob("*.npz"))) == 2  # the others are kept
    Counting.broken |= {"a", "ccc"}
    with pytest.raises(ValueError, match=r"4 of 4 clips"):
        counting(["a", "bb", "ccc", "dd"], level=2.0, max_rejected=1.0)


def test_the_broken_one_of_a_group_is_found(tmp_path):
    class Group(Counting):
        def extract_group(self, clips, root):
            return [self.extract(clip, root) for clip in clips]

    Counting.fails.clear()
    Counting.broken.clear()
    Counting.broken.add("bb")
    media = [
        clips.ClipMedia(
            id=name, audio=f"{name}.wav", video=None, video_start=None, video_end=None, video_crop=None,
            duration=1.0, audio_hash="0", video_hash=None,
        )
        for name in ("a", "bb", "ccc")
    ]  # fmt: skip
    found = extraction._extract(Group(level=1.0), Path("corpus"), tmp_path, media)
    assert found == {"bb": ("bb.wav", "broken; repair it")}
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_added_clips_are_the_only_ones_extracted_and_the_bytes_are_those_of_a_fresh_run(counting, capsys):
    many = [f"{i:03}" for i in range(50)]
    assert len(counting(many)) == 50
    capsys.readouterr()
    new = [f"{i:03}x" for i in range(0, 50, 5)]
    assert sorted(counting(many + new)) == new
    assert "60 clips, 50 unchanged, 10 to extract" in capsys.readouterr().out
    grown = outputs(Path("out"))
    assert counting(many[:40]) == [] and feature_store.FeatureStore(Path("out")).ids == many[:40]
    assert counting(many[:40], **{many[3]: "another hash"}) == [many[3]]
    assert counting(many[:40], level=2.0) == many[:40]  # the extractor's params: all anew
    assert counting([*many[:40], "z"], level=2.0) == ["z"]
    shutil.rmtree("out")
    shutil.rmtree("work")
    assert len(counting(many + new)) == 60
    assert outputs(Path("out")) == grown
    shutil.rmtree("out")
    assert len(counting(many + new)) == 60  # nothing is kept a second time: without the folder, and without DVC, all


def test_damaged_rows_of_the_last_run_are_not_taken_over(counting):
    counting(["a", "bb", "cc"])
    path = Path("out/rows.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"rows\.npy: clip 'cc' is not .*run again: clip 'cc' is then extracted anew"):
        counting(["a", "bb", "cc", "dd"])
    assert counting(["a", "bb", "cc", "dd"]) == ["cc"]  # dd was finished
    feature_store.FeatureStore(Path("out")).verify()


def test_added_clips_are_the_only_ones_extracted_though_dvc_deletes_outs(tmp_path):
    """A real `dvc repro`: rows come from DVC's cache."""
    project = tmp_path / "project"
    project.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("PYTHONPATH", path_with_repo())
        write_params()
        stage = {
            "cmd": "python -m stages.features prosody --role emotion",
            "deps": ["data/manifest/emotion/clips.csv"],
            "outs": ["data/features/prosody/emotion"],
        }
        Path("dvc.yaml").write_text(json.dumps({"stages": {"features": stage}}))
        toy_project.run(project, "git", "init", "-q")
        toy_project.run(project, "dvc", "init", "-q")
        for count, expected in ((4, "4 clips, 4 to extract"), (6, "6 clips, 4 unchanged, 2 to extract")):
            write_manifest({f"clip{i}": voice(1, 100 + 10 * i, i) for i in range(count)})
            assert expected in toy_project.run(project, "dvc", "repro")
        Path("data/features/prosody/.gitignore").unlink()
        incremental = outputs()
        shutil.rmtree("data/features")
        shutil.rmtree("data/work")
        patch.setattr(sys, "argv", ["features", "prosody", "--role", "emotion"])
        features.main()
        assert outputs() == incremental


@pytest.mark.parametrize("where", ["units", "out"])
def test_full_disk_ends_clearly_and_keeps_what_is_finished(counting, monkeypatch, where):
    counting(["a"])
    save, digits = np.savez, iter(range(100))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "units":
            patch.setattr(np, "savez", lambda *args, **kwargs: (full if next(digits) == 2 else save)(*args, **kwargs))
        else:
            patch.setattr(feature_store._ArrayWriter, "finish", full)
        with pytest.raises(OSError, match="No space left on device") as ended:
            counting(["a", "bb", "cc", "dd", "ee"])
    assert Path(ended.value.filename).name == where
    assert not list(Path().rglob("*partial*"))
    assert len(list(Path("work").rglob("*.npz*"))) == {"units": 2, "out": 4}[where]
    feature_store.FeatureStore(Path("out")).verify()  # the cache of before
    assert counting(["a", "bb", "cc", "dd", "ee"]) == {"units": ["dd", "ee"], "out": []}[where]
    feature_store.FeatureStore(Path("out")).verify()


def test_a_real_limit_of_file_size_ends_in_one_line(tmp_path, monkeypatch):
    """RLIMIT_FSIZE stands for the full disk: the system refuses the write of the merged array."""
    monkeypatch.chdir(tmp_path)
    write_params()
    write_manifest({f"clip{i:02}": voice(1, 100 + 10 * i, i) for i in range(20)})
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        "sys.argv = ['features', 'prosody', '--role', 'emotion'];"
        "from stages import features; from avemotion.system import cli; cli.run(features.main)"
    )
    command = [sys.executable, "-c", limited]
    ended = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path_with_repo()}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert re.search(r"error: data/features/prosody/emotion: File too large; free some space and run ag", ended.stderr)
    monkeypatch.setattr(sys, "argv", ["features", "prosody", "--role", "emotion"])
    features.main()
    feature_store.FeatureStore(Path("data/features/prosody/emotion")).verify()


def test_two_processes_at_once_extract_each_clip_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params()
    write_manifest({f"clip{i:02}": voice(4, 100 + 10 * i, i) for i in range(8)})
    command = [sys.executable, "-m", "stages.features", "prosody", "--role", "emotion"]
    environment = os.environ | {"PYTHONPATH": path_with_repo()}
    logs = [Path("first.txt"), Path("second.txt")]
    lock = Path("data/work/features/prosody/emotion/lock")
    lock.parent.mkdir(parents=True)
    with filelock.FileLock(lock):  # until both stand before it
        started = []
        for log in logs:
            with log.open("w") as file:
                started.append(subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT))
        deadline = time.monotonic() + 100
        while not all("waiting until it ends" in log.read_text() for log in logs) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert [process.wait(timeout=100) for process in started] == [0, 0]
    told = "".join(log.read_text() for log in logs)
    assert [told.count(text) for text in ("waiting until", "8 to extract", "8 unchanged")] == [2, 1, 1]
    feature_store.FeatureStore(Path("data/features/prosody/emotion")).verify()


def test_verify_reads_the_cache_and_extracts_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_params()
    write_manifest({"a": voice(1, 120, 0), "b": None})
    monkeypatch.setattr(sys, "argv", ["features", "prosody", "--role", "emotion"])
    features.main()
    monkeypatch.setattr(sys, "argv", ["features", "prosody", "--role", "emotion", "--verify"])
    capsys.readouterr()
    features.main()
    assert capsys.readouterr().out == "data/features/prosody/emotion: 2 clips as they were written\n"
    path = Path("data/features/prosody/emotion/functionals.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"functionals\.npy: clip 'a' is not what was written"):
        features.main()


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
    (finished,) = Path("work").rglob("*.npz")
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


def test_worker_count_does_not_change_a_byte(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extraction, "WORKERS_PAY", 0.0)
    monkeypatch.setenv("PYTHONPATH", path_with_repo())
    write_manifest({f"clip{i:02}": voice(1 + i / 10, 100 + 10 * i, i) for i in range(12)})
    monkeypatch.setattr(sys, "argv", ["stages.features", "mel", "--role", "emotion"])
    results = []
    for workers in (1, 2):
        write_params({"compute.workers": workers})
        features.main()
        assert "12 to extract" in capsys.readouterr().out
        results.append(outputs())
        shutil.rmtree("data/features")
        shutil.rmtree("data/work")  # what the run before left must not be found
    assert results[0] == results[1]
    assert set(results[0]) == {f"mel/emotion/{name}" for name in ("index.json", "mel.npy", "length.npy", "peaks.npy")}


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
        two = ComputeParams(device="cpu", threads=1, workers=2, loader_workers=0, engine="local", address=None)
        extraction._extract_all(lambda unit, done=done: done.append(unit) or {}, found, two, "counting")
        assert (calls, done) == (expected, found)


def test_a_recording_that_broke_since_the_manifest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_manifest({"a": voice(1, 120, 0), "b": None, "c": voice(1, 130, 1)})
    good = Path("corpus/c.wav").read_bytes()
    Path("corpus/c.wav").write_bytes(b"not a recording")
    monkeypatch.setattr(sys, "argv", ["features", "prosody", "--role", "affect"])
    write_params()
    with pytest.raises(ValueError, match=r"1 of 2 clips .*such as c\.wav: cannot be read as sound .*repair or remove"):
        features.main()
    assert len(list(Path("data/work").rglob("*.npz"))) == 1
    out = Path("data/features/prosody/affect")
    write_params({"manifest.max_rejected": 0.5})
    features.main()
    reader = feature_store.FeatureStore(out)
    assert reader.missing == ["b", "c"] and str(tmp_path) not in (out / "rejected.csv").read_text()
    Path("corpus/c.wav").write_bytes(good)
    write_params()
    features.main()
    reader = feature_store.FeatureStore(out)
    assert reader.missing == ["b"] and [reader.length(clip, "functionals") for clip in "abc"] == [1, 0, 1]


def test_source_code_of_an_extractor_is_its_own_import_closure():
    def names(kind):
        return {
            path.relative_to(REPO / "stages").as_posix() for path in source_code.sources(f"avemotion.features.{kind}")
        }

    assert {"lib/features/mel.py", "lib/features/noise.py", "lib/media/audio.py", "lib/params.py"} <= names("mel")
    assert "lib/models/wavlm.py" in names("wavlm") and "lib/models/wavlm.py" not in names("mel")
    assert "lib/media/video.py" in names("frames") and "lib/media/audio.py" not in names("frames")
    assert not any(name.endswith("labels.py") for kind in features.KINDS for name in names(kind))
