"""Media are read once, and again whenever they may have changed."""

import os
import time

import pytest
from corpus_trees import wav
from project_params import SERIAL

from avemotion.manifest import known_media, probe
from avemotion.manifest.known_media import KnownMedia


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Names of the files that are opened."""
    opened, real = [], probe.probe

    def recording(unit):
        opened.append(unit[0].name)
        return real(unit)

    monkeypatch.setattr(probe, "probe", recording)
    monkeypatch.setattr(known_media, "TICK", 0)
    return opened


def look(folder, *files):
    return probe.probe_all([(file, "audio") for file in files], SERIAL, KnownMedia(folder / "work"))


def test_unchanged_files_are_not_read_again(tmp_path, reads):
    one, two = wav(tmp_path / "one.wav", 1), wav(tmp_path / "two.wav", 2)
    first = look(tmp_path, one, two)
    assert look(tmp_path, one, two) == first and reads == ["one.wav", "two.wav"]
    two.unlink()
    wav(two, 3)
    second = look(tmp_path, one, two)
    assert reads == ["one.wav", "two.wav", "two.wav"]
    assert second[one, "audio"] == first[one, "audio"] and second[two, "audio"].hash != first[two, "audio"].hash


def test_same_size_and_restored_time_do_not_deceive(tmp_path, reads):
    file = wav(tmp_path / "one.wav", 1)
    before = file.stat()
    first = look(tmp_path, file)
    wav(file, 2)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a copying tool restores it
    assert file.stat().st_size == before.st_size and file.stat().st_mtime_ns == before.st_mtime_ns
    assert look(tmp_path, file)[file, "audio"].hash != first[file, "audio"].hash


def test_a_file_that_just_changed_is_not_kept(tmp_path, reads, monkeypatch):
    file = wav(tmp_path / "one.wav", 1)
    monkeypatch.setattr(known_media, "TICK", 3600 * 10**9)
    look(tmp_path, file)
    look(tmp_path, file)
    assert len(reads) == 2
    monkeypatch.setattr(known_media, "TICK", 0)
    monkeypatch.setattr(time, "time_ns", lambda: file.stat().st_mtime_ns - 10**9)  # the clock was set back
    look(tmp_path, file)
    look(tmp_path, file)
    assert len(reads) == 4


def test_a_killed_run_leaves_what_it_found(tmp_path, reads):
    one, two = wav(tmp_path / "one.wav", 1), wav(tmp_path / "two.wav", 2)
    look(tmp_path, one, two)
    (file,) = (tmp_path / "work").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])  # killed while writing the second line
    assert look(tmp_path, one, two) and reads == ["one.wav", "two.wav", "two.wav"]
    file.write_bytes(b"\xff\xfe not lines of this kind\n[]\n[1, 2, 3, 4]\n" + whole)
    look(tmp_path, one, two)


def test_missing_files_are_not_kept(tmp_path, reads):
    gone = tmp_path / "gone.wav"
    assert look(tmp_path, gone)[gone, "audio"].fault.startswith("cannot be opened")
    wav(gone, 1)
    assert look(tmp_path, gone)[gone, "audio"].fault is None


def test_another_version_of_the_code_starts_anew(tmp_path, reads, monkeypatch):
    file = wav(tmp_path / "one.wav", 1)
    look(tmp_path, file)
    monkeypatch.setattr(known_media, "source_digest", lambda module: "0" * 32)
    look(tmp_path, file)
    assert len(reads) == 2 and len(list((tmp_path / "work").iterdir())) == 1
