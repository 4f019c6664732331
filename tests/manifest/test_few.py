"""Few training speakers and clips: nested, of train alone, refused where there is no train."""

import pandas as pd
import pytest
from manifest_toys import run

from avemotion.manifest import few
from avemotion.params.manifest import FewParams
from avemotion.parsing.clip import Clip

CLASSES = ("happy", "sad")
SPEAKERS = [f"S{i}" for i in range(8)]
CLIPS = [
    Clip(id=f"{speaker}_{name}_{i}", speaker=speaker, gender=None, emotion=name)
    for speaker in SPEAKERS
    for name in CLASSES
    for i in range(3)
]
LABELS = {clip.id: clip.emotion for clip in CLIPS}
PARTS = {clip.id: {"S6": "val", "S7": "test"}.get(clip.speaker, "train") for clip in CLIPS}


def kept(seed: int = 0, **counts: int | None) -> list[Clip]:
    return few.kept(CLIPS, PARTS, LABELS, FewParams(**{"speakers": None, "clips": None, "seed": seed} | counts))


def trained(clips: list[Clip]) -> list[Clip]:
    return [clip for clip in clips if PARTS[clip.id] == "train"]


def test_null_keeps_everything():
    assert kept() == CLIPS


def test_speakers_are_whole_and_more_contain_fewer():
    before: set[str] = set()
    for count in range(1, 7):
        training = trained(kept(speakers=count))
        speakers = {clip.speaker for clip in training}
        assert len(speakers) == count and before <= speakers and len(training) == count * 6
        before = speakers
    assert kept(speakers=6) == CLIPS
    assert len({frozenset(clip.speaker for clip in trained(kept(seed, speakers=2))) for seed in range(20)}) > 5


def test_clips_are_of_each_class_and_more_contain_fewer():
    before: set[str] = set()
    for count in range(1, 18):
        training = trained(kept(clips=count))
        ids = {clip.id for clip in training}
        assert [sum(clip.emotion == name for clip in training) for name in CLASSES] == [count] * 2 and before <= ids
        before = ids
    assert kept(clips=18) == CLIPS == kept(clips=100)


def test_clips_of_few_speakers():
    training = trained(kept(speakers=2, clips=4))
    assert len({clip.speaker for clip in training}) <= 2 and len(training) == 8
    assert {clip.id for clip in training} <= {clip.id for clip in trained(kept(speakers=2))}


def test_val_and_test_stay():
    for counts in ({"speakers": 1}, {"clips": 1}, {"speakers": 2, "clips": 1}):
        assert [clip for clip in kept(**counts) if PARTS[clip.id] != "train"] == CLIPS[36:]


def test_too_many_speakers_and_folds_are_refused():
    with pytest.raises(ValueError, match=r"few\.speakers is 7, but train has 6"):
        kept(speakers=7)
    folds = {clip.id: clip.speaker[1:] for clip in CLIPS}
    with pytest.raises(ValueError, match="this one gives folds"):
        few.kept(CLIPS, folds, LABELS, FewParams(speakers=None, clips=3, seed=0))


def test_the_stage_trains_on_fewer_and_extracts_the_same(project, monkeypatch, capsys):
    run(monkeypatch)
    clips = (project / "data/manifest/emotion/clips.csv").read_bytes()
    labels = pd.read_csv("data/manifest/emotion/labels.csv")
    training = labels[labels["split"] == "train"]
    capsys.readouterr()
    run(monkeypatch, manifest__emotion__few={"speakers": None, "clips": 1, "seed": 0})
    fewer = pd.read_csv("data/manifest/emotion/labels.csv")
    own = fewer[fewer["split"] == "train"]
    assert own["label"].value_counts().to_dict() == dict.fromkeys(training["label"].unique(), 1)
    held_out = labels[labels["split"] != "train"].reset_index(drop=True)
    pd.testing.assert_frame_equal(fewer[fewer["split"] != "train"].reset_index(drop=True), held_out)
    assert (project / "data/manifest/emotion/clips.csv").read_bytes() == clips
    left = len(labels) - len(fewer)
    assert f"manifest.emotion.few (clips 1): {left} of {len(labels)} clips" in capsys.readouterr().out and left > 0


def test_the_check_refuses_before_it_opens_media(project, monkeypatch):
    with pytest.raises(ValueError, match=r"few\.speakers is 99"):
        run(monkeypatch, "--check", manifest__emotion__few={"speakers": 99, "clips": None, "seed": 0})
