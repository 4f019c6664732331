"""From clips to a feature folder: resuming, adding clips, full disks; the same bytes always."""

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from project_params import SERIAL
from recordings import write_params

from avemotion.extraction import extraction
from avemotion.formats import clips, feature_store
from avemotion.params.shared.compute import ComputeParams
from avemotion.system.media_error import MediaError

OUT = Path("counting/emotion")


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
            Counting(level=level),
            found,
            extraction.Places(root=Path("corpus"), out=OUT, work=Path("work")),
            SERIAL,
            max_rejected,
        )
        return list(Counting.seen)

    return extract


def test_finished_clips_are_kept_when_one_fails(counting):
    Counting.fails.add("ccc")
    with pytest.raises(ValueError, match=r"counting\.model is not there"):
        counting(["a", "bb", "ccc", "dd"], max_rejected=1.0)
    assert not OUT.exists()
    Counting.fails.clear()
    assert counting(["a", "bb", "ccc", "dd"]) == ["ccc", "dd"]
    assert not list(Path("work").rglob("*.npz"))
    reader = feature_store.FeatureStore(OUT)
    assert [reader.length(clip, "rows") for clip in reader.ids] == [1, 2, 3, 2]
    assert reader.facts == {"level": 1.0, "settings": {"level": 1.0}, "counts": {"odd": 2}, "rounding": {}}
    assert reader.settings == {"level": 1.0}


def test_a_clip_that_cannot_be_extracted_is_listed_and_no_other_is_lost(counting, capsys):
    names = ["a", "bb", "ccc", "dd"]
    fresh = counting(names)
    Counting.broken.add("bb")
    assert counting(names, level=2.0, max_rejected=0.25) == ["a", "ccc", "dd"]
    assert (OUT / "rejected.csv").read_text() == "id,path,reason\nbb,bb.wav,broken; repair it\n"
    assert "features counting emotion: without audio: bb (bb.wav: broken; repair it)" in capsys.readouterr().out
    reader = feature_store.FeatureStore(OUT)
    assert reader.ids == names and reader.missing == ["bb"]
    assert [reader.length(clip, "rows") for clip in names] == [1, 0, 3, 2]
    reader.verify()
    assert counting(names, level=2.0, max_rejected=0.25) == []  # the others are not redone, the broken one is tried
    Counting.broken.clear()
    assert counting(names, level=2.0) == ["bb"] and not (OUT / "rejected.csv").exists()
    shutil.rmtree("work")
    assert counting(names) == fresh


def test_too_many_that_cannot_be_extracted_stop_the_stage_with_a_summary(counting):
    Counting.broken |= {"bb", "dd"}
    with pytest.raises(
        ValueError,
        match=r"features counting emotion: 2 of 4 clips cannot be extracted \(50.0%; manifest.max_rejected is 0.49\), "
        r"such as bb.wav: "
        r"broken; repair it. See tmp/features/features_counting_emotion.csv",
    ):
        counting(["a", "bb", "ccc", "dd"], max_rejected=0.49)
    assert len(Path("tmp/features/features_counting_emotion.csv").read_text().splitlines()) == 3 and not OUT.exists()
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
    grown = outputs(OUT)
    assert counting(many[:40]) == [] and feature_store.FeatureStore(OUT).ids == many[:40]
    assert counting(many[:40], **{many[3]: "another hash"}) == [many[3]]
    assert counting(many[:40], level=2.0) == many[:40]  # the extractor's params: all anew
    assert counting([*many[:40], "z"], level=2.0) == ["z"]
    shutil.rmtree(OUT)
    shutil.rmtree("work")
    assert len(counting(many + new)) == 60
    assert outputs(OUT) == grown
    shutil.rmtree(OUT)
    assert len(counting(many + new)) == 60  # nothing is kept a second time: without the folder, and without DVC, all


def test_damaged_rows_of_the_last_run_are_not_taken_over(counting):
    counting(["a", "bb", "cc"])
    path = OUT / "rows.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"rows\.npy: clip 'cc' is not .*run again: clip 'cc' is then extracted anew"):
        counting(["a", "bb", "cc", "dd"])
    assert counting(["a", "bb", "cc", "dd"]) == ["cc"]  # dd was finished
    feature_store.FeatureStore(OUT).verify()


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
    assert Path(ended.value.filename).name == {"units": "units", "out": OUT.name}[where]
    assert not list(Path().rglob("*partial*"))
    assert len(list(Path("work").rglob("*.npz*"))) == {"units": 2, "out": 4}[where]
    feature_store.FeatureStore(OUT).verify()  # the cache of before
    assert counting(["a", "bb", "cc", "dd", "ee"]) == {"units": ["dd", "ee"], "out": []}[where]
    feature_store.FeatureStore(OUT).verify()


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


def outputs(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


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
        two = ComputeParams(
            device="cpu", threads=1, workers=2, loader_workers=0, engine="local", address=None, tensorboard=False
        )
        extraction._extract_all(lambda unit, done=done: done.append(unit) or {}, found, two, "counting")
        assert (calls, done) == (expected, found)
