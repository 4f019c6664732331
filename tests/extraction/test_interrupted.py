"""The stage features by itself: killed, twice at once, without space, under DVC; the same bytes always."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest
import toy_project
from project_params import REPO
from recordings import voice, write_manifest, write_params

from avemotion.extraction import extraction
from avemotion.formats import feature_store
from stages import features


@pytest.mark.slow
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
        toy_project.init(project)
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


def test_a_real_limit_of_file_size_ends_in_one_line(tmp_path, monkeypatch):
    """RLIMIT_FSIZE stands for the full disk: the system refuses the write of the merged array."""
    monkeypatch.chdir(tmp_path)
    write_params()
    write_manifest({f"clip{i:02}": voice(1, 100 + 10 * i, i) for i in range(20)})
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "sys.dont_write_bytecode = True;"  # Python would leave cut-off files that it reads later
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
    assert set(results[0]) == {
        f"mel/emotion/{name}" for name in ("index.json", "mel.npy", "length.npy", "start.npy", "peaks.npy")
    }


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
