"""The manifest stage on small corpora: files, splits, refusals, and what must not change a byte."""

import errno
import hashlib
import json
import shutil
import typing
from pathlib import Path

import corpus_trees as trees
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from manifest_toys import run, settings

from avemotion.formats import clips, labels
from avemotion.manifest import labelling, probe
from avemotion.params.manifest import _section
from avemotion.params.shared.compute import ComputeParams
from avemotion.parsing import registry
from avemotion.system import params_file
from stages import manifest

FILES = ("clips.csv", "labels.csv", "rejected.csv", "corpus.json")


def written() -> dict[str, bytes]:
    return {f"{role}/{file}": (clips.FOLDER / role / file).read_bytes() for role in manifest.ROLES for file in FILES}


def test_files_say_what_is_there(project, monkeypatch, capsys):
    run(monkeypatch)
    media = clips.read("emotion")
    assert [clip.id for clip in media] == sorted(trees.ravdess_ids(trees.ACTORS))
    for clip in media[:3]:
        file = project / "data/ravdess" / clip.audio
        assert clip.audio_hash == hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
        assert clip.duration == soundfile.info(file).duration == 0.05
        assert (clip.video_start, clip.video_end, clip.video_crop) == (None, None, None)
    assert len({clip.video_hash for clip in media}) == len(media)

    turn = next(clip for clip in clips.read("affect") if clip.id == "Ses02F_impro01_M001")
    assert turn.video == "Session2/dialog/avi/DivX/Ses02F_impro01.avi"
    assert (turn.video_start, turn.video_end, turn.video_crop) == (1.0, 1.4, (0.5, 0.2542, 1.0, 0.75))
    header, *rows = (clips.FOLDER / "affect/clips.csv").read_text().splitlines()
    assert header == "id,audio,video,video_start,video_end,video_crop,duration,audio_hash,video_hash"
    assert rows == sorted(rows) and ",1.0,1.4,0.5 0.2542 1 0.75,0.05," in rows[13]

    emotion, affect = labels.read("emotion"), labels.read("affect")
    assert emotion.id.tolist() == [clip.id for clip in media]
    assert emotion.groupby("speaker").split.unique().map(list).to_dict() == {
        **{"Actor_01": ["train"], "Actor_02": ["train"], "Actor_17": ["val"], "Actor_21": ["test"]}
    }
    assert emotion.valence.isna().all() and emotion.dialogue.isna().all() and emotion.turn.isna().all()
    assert (affect.split == affect.id.str[4]).all()
    row = affect[affect.id == "Ses02F_impro01_M001"].iloc[0]
    assert (row.speaker, row.turn, row.valence, row.emotion, row.label) == ("Ses02M", 2, 2.5, "ang", "ang")

    facts = labels.read_facts("emotion")
    ravdess_order = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    assert (facts.classes, facts.scale, facts.folds, facts.split) == (ravdess_order, None, [], "actor")
    assert (facts.clips, facts.speakers, facts.rejected, facts.speaker_overlap) == (32, 4, 0, False)
    facts = labels.read_facts("affect")
    assert facts.scale == {"valence": [1, 5], "arousal": [1, 5], "dominance": [1, 5]}
    assert (facts.folds, facts.classes, facts.synthetic) == ([1, 2, 3], ["ang", "hap", "neu", "sad"], False)

    log = capsys.readouterr().out
    assert "manifest.emotion.actors names speakers that are not there: 18, 22" in log
    assert "32 clips, 4 speakers" in log
    assert not list(project.rglob("*.part"))


def test_sample_corpus_is_marked(project, monkeypatch):
    (project / "data/ravdess/SYNTHETIC.txt").write_text("made by a program\n")
    run(monkeypatch)
    assert json.loads((clips.FOLDER / "emotion/corpus.json").read_text())["synthetic"] is True
    assert labels.read_facts("affect").synthetic is False


def test_same_bytes_again_elsewhere_and_with_more_workers(project, monkeypatch, tmp_path_factory):
    run(monkeypatch)
    first = written()
    run(monkeypatch)
    assert written() == first
    other = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(project / "data/ravdess", other / "data/ravdess")
    shutil.copytree(project / "data/iemocap", other / "data/iemocap")
    monkeypatch.chdir(other)
    monkeypatch.setattr(probe, "SMALL", 0)
    run(monkeypatch, compute__workers=2)
    assert written() == first


def test_a_full_disk_leaves_clips_and_labels_of_one_run(project, monkeypatch):
    run(monkeypatch)
    first, write = written(), labels.write

    def full(role, *rest):
        if role == "affect":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(role, *rest)

    monkeypatch.setattr(labels, "write", full)
    with pytest.raises(OSError, match="No space left on device"):
        run(monkeypatch, manifest__emotion__actors={"val": [21], "test": [17]})
    assert written() == first
    monkeypatch.setattr(labels, "write", write)
    run(monkeypatch, manifest__emotion__actors={"val": [21], "test": [17]})
    assert written() != first and not list((project / "data/manifest").rglob("*partial*"))


def test_labels_change_alone(project, monkeypatch):
    run(monkeypatch)
    before = written()
    for changes in (
        {"manifest__emotion__labels": "coarse4"},
        {"manifest__emotion__split": "stratified", "manifest__emotion__ratios": [0.5, 0.25, 0.25]},
        {"manifest__emotion__actors": {"val": [1], "test": [2]}},
    ):
        run(monkeypatch, **changes)
        after = written()
        changed = {file for file in before if before[file] != after[file]}
        assert "emotion/labels.csv" in changed
        assert changed <= {"emotion/labels.csv", "emotion/corpus.json"}


def test_four_classes(project, monkeypatch):
    run(monkeypatch, manifest__emotion__labels="coarse4")
    table = labels.read("emotion")
    assert table.groupby("label").emotion.unique().map(sorted).to_dict() == {
        "neutral": ["calm", "neutral"],
        "positive": ["happy"],
        "negative": ["angry", "disgust", "fearful", "sad"],
        "surprise": ["surprised"],
    }
    assert labels.read_facts("emotion").classes == ["neutral", "positive", "negative", "surprise"]


def test_any_corpus_plays_the_emotion_role(tmp_path):
    emotions = ("neu", "xxx", "exc", "oth", "fru")
    trees.iemocap(tmp_path, (1,), emotions)
    corpus = registry.corpus("iemocap")
    listed, _ = corpus.list_clips(tmp_path, corpus.params(parts=["impro"], wearer_side="left"))
    label_of, classes = labelling.classify(listed, corpus, "emotion", "corpus")
    assert classes == ["exc", "fru", "neu"]
    assert len(listed) == 10 and len(label_of) == 6  # xxx and oth name no emotion
    label_of, classes = labelling.classify(listed, corpus, "emotion", "coarse4")
    assert set(label_of.values()) == {"neutral", "positive", "negative"}
    label_of, classes = labelling.classify(listed, corpus, "affect", "coarse4")
    assert classes == sorted(emotions) and len(label_of) == 10


def test_stratified_is_declared(project, monkeypatch, capsys):
    run(monkeypatch, manifest__emotion__split="stratified", manifest__emotion__ratios=[0.5, 0.25, 0.25])
    facts = labels.read_facts("emotion")
    assert facts.speaker_overlap and facts.split == "stratified"
    assert "scores will be too good" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"manifest__emotion__ratios": [0.7, 0.2, 0.2]}, r"manifest\.emotion\.ratios is .*sum to 1"),
        ({"manifest__emotion__ratios": [1.0, 0.0, 0.0]}, r"manifest\.emotion\.ratios is .*above 0"),
        ({"manifest__emotion__actors": {"val": [1, 17], "test": [17]}}, r"manifest\.emotion\.actors has 17 in both"),
        ({"manifest__emotion__actors": {"val": [17], "test": ["Actor_17"]}}, "actors names Actor_17 twice"),
        ({"manifest__emotion__actors": {"val": [17], "test": [23]}}, "leaves test empty; .*Actor_01, Actor_02"),
        ({"manifest__emotion__actors": {"val": [1, 2], "test": [17, 21]}}, "leaves train empty"),
        ({"manifest__emotion__labels": 4}, r"manifest\.emotion\.labels is 4; choose one of corpus, coarse4, iemocap4"),
        ({"manifest__max_rejected": 1.5}, r"manifest\.max_rejected is 1\.5"),
        ({"manifest__ravdess__channels": ["song"]}, r"corpora\.emotion\.root is data/ravdess, where no usable clip"),
        ({"corpora__emotion__root": "nowhere"}, r"corpora\.emotion\.root is nowhere, which is no folder"),
        (
            {"corpora__emotion__name": "emodb"},
            r"corpora\.emotion\.name is 'emodb'; choose one of affectnet, cremad, csv, fer2013",
        ),
        ({"corpora__affect__root": "data/ravdess"}, r"corpora\.affect\.root: .*name the folder that holds Session1"),
        (
            {"corpora__affect": {"name": "ravdess", "root": "data/ravdess"}},
            r"corpora\.affect\.name is ravdess, which has no valence and arousal",
        ),
        (
            {
                "corpora__emotion": {"name": "iemocap", "root": "data/iemocap"},
                "manifest__emotion__actors": {"val": ["Ses01F"], "test": ["Ses01M"]},
            },
            r"both iemocap and share speakers Ses01F, .*\(6 in all\).*use two corpora",
        ),
    ],
)
def test_refusals_before_any_media_is_opened(project, monkeypatch, changes, message):
    monkeypatch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
    with pytest.raises(ValueError, match=message):
        run(monkeypatch, **changes)
    assert not clips.FOLDER.exists()


def test_one_recording_in_both_roles_is_refused(project, monkeypatch):
    stolen = project / "data/iemocap/Session2/sentences/wav/Ses02F_impro01/Ses02F_impro01_F001.wav"
    shutil.copy(project / "data/ravdess/Actor_01/03-01-03-01-01-01-01.wav", stolen)
    with pytest.raises(
        ValueError, match=r"01-03-01-01-01-01 \(emotion\) and Ses02F_impro01_F001 \(affect\) are the sa"
    ):
        run(monkeypatch)


def damage(root: Path) -> dict[str, str]:
    """Eight faults in RAVDESS, each in another clip; path -> reason (its kind)."""
    ids = iter(trees.ravdess_ids([1]))
    faults = {}

    def at(name: str, clip_id: str, reason: str) -> Path:
        faults[f"Actor_01/{name.format(clip_id)}"] = reason
        return root / "Actor_01" / name.format(clip_id)

    at("03-{}.wav", next(ids), "empty file").write_bytes(b"")
    at("03-{}.wav", next(ids), probe.POINTER_FAULT).write_text(trees.LFS_POINTER)
    at("03-{}.wav", next(ids), "cannot be read as sound").write_bytes(b"RIFF but no more than that")
    soundfile.write(at("03-{}.wav", next(ids), "no sound in it, all samples are zero"), [0.0] * 800, 16000)
    soundfile.write(at("03-{}.wav", next(ids), "no samples in it"), [], 16000)
    at("02-{}.mp4", next(ids), "cannot be read as video").write_bytes(b"\0" * 64)
    at("02-{}.mp4", clip_id := next(ids), "no picture in it").write_bytes(
        (root / f"Actor_01/03-{clip_id}.wav").read_bytes()
    )
    dangling = at("02-{}.mp4", next(ids), "cannot be opened")
    dangling.unlink()
    dangling.symlink_to(root / "gone.mp4")
    return faults


def test_unusable_files_are_listed_and_their_clips_keep_the_rest(project, monkeypatch):
    faults = damage(project / "data/ravdess")
    run(monkeypatch, manifest__max_rejected=0.25)  # 8 of 32
    listed = pd.read_csv(clips.FOLDER / "emotion/rejected.csv")
    assert {row.path: row.reason.partition(": ")[0] for row in listed.itertuples()} == faults
    assert str(project) not in listed.to_csv()
    media = [clip for clip in clips.read("emotion") if clip.id.endswith("-01")]
    assert [bool(clip.audio) for clip in media] == [False] * 5 + [True] * 3
    assert [bool(clip.video) for clip in media] == [True] * 5 + [False] * 3
    assert media[0].audio_hash is None and media[0].duration == 0.5  # of the picture: 5 frames at 10 a second
    assert labels.read_facts("emotion").rejected == 8


def test_too_many_unusable_files_stop_the_stage(project, monkeypatch):
    faults = damage(project / "data/ravdess")
    with pytest.raises(
        ValueError, match=r"8 of 32 clips of data/ravdess are damaged \(25.0%; .*1 x empty file"
    ) as error:
        run(monkeypatch, manifest__max_rejected=0.24)
    listing = Path("tmp/manifest/emotion/rejected.csv")
    assert str(listing) in str(error.value)
    assert set(pd.read_csv(listing).path) == set(faults)
    assert not clips.FOLDER.exists()


def test_the_same_samples_twice_are_one_recording(project, monkeypatch):
    first, second = (project / f"data/ravdess/Actor_02/03-{i}.wav" for i in trees.ravdess_ids([2])[2:4])
    samples, rate = soundfile.read(first)
    soundfile.write(second, samples, rate, format="WAVEX", subtype="PCM_16")  # other header, same samples
    assert first.read_bytes() != second.read_bytes()
    run(monkeypatch)
    (row,) = pd.read_csv(clips.FOLDER / "emotion/rejected.csv").itertuples()
    assert row.path == f"Actor_02/{second.name}"
    assert row.reason == f"the same samples as another clip: Actor_02/{first.name}"
    kept = {clip.id: clip for clip in clips.read("emotion")}
    assert kept[first.stem[3:]].audio and kept[second.stem[3:]].audio is None and kept[second.stem[3:]].video


def test_stereo_is_used(project, monkeypatch):
    trees.wav(project / "data/ravdess/Actor_02/03-01-01-01-01-01-02.wav", 5, channels=2)
    run(monkeypatch)
    assert next(clip for clip in clips.read("emotion") if clip.id == "01-01-01-01-01-02").duration == 0.05


def test_recordings_that_are_read_otherwise_than_usual_are_noted(project, monkeypatch):
    run(monkeypatch)
    assert not (clips.FOLDER / "emotion/notes.csv").exists()
    changed = project / "data/ravdess/Actor_02" / f"03-{next(iter(trees.ravdess_ids([2])))}.wav"
    voice = soundfile.read(changed, dtype="int16", always_2d=True)[0][:, 0]
    soundfile.write(changed, np.stack([voice, -voice], 1), 16000)
    for _ in range(2):  # from the file, then from the media known from the run before
        run(monkeypatch)
        (row,) = pd.read_csv(clips.FOLDER / "emotion/notes.csv").itertuples()
        assert row.path == f"Actor_02/{changed.name}"
        length = f"{len(voice) / 16000:.2f} s"
        assert row.note == f"sound: the channels cancel each other in {length} of {length}; channel 1 is used there"
        assert next(clip for clip in clips.read("emotion") if clip.id == changed.stem[3:]).audio
    assert not (clips.FOLDER / "affect/notes.csv").exists()


def test_a_release_without_pictures_is_not_damaged_but_one_with_some_is(project, monkeypatch):
    pictures = sorted((project / "data/ravdess").rglob("*.mp4"))
    for file in pictures[1:]:
        file.unlink()
    with pytest.raises(ValueError, match=r"31 of 32 clips .* 31 x missing"):
        run(monkeypatch)
    pictures[0].unlink()
    run(monkeypatch, manifest__max_rejected=0.0)
    assert all(clip.video is None for clip in clips.read("emotion"))
    (row,) = pd.read_csv(clips.FOLDER / "emotion/rejected.csv").itertuples()
    assert (row.path, row.reason) == ("02-*.mp4", "none of 32 expected files 02-*.mp4 exists: sound only")


def test_a_turn_after_the_end_of_the_picture_has_no_picture(project, monkeypatch):
    trees.video(project / "data/iemocap/Session3/dialog/avi/DivX/Ses03F_impro01.avi", 1, frames=8, fps=5)  # 1.6 s
    run(monkeypatch, manifest__max_rejected=0.25)
    cut = [clip.id for clip in clips.read("affect") if clip.video is None]
    starts = labels.read("affect").set_index("id").start
    assert cut == sorted(starts[(starts >= 1.6) & starts.index.str.startswith("Ses03")].index) and len(cut) == 4


def test_lost_lines_count(project, monkeypatch):
    ratings = project / "data/iemocap/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    ratings.write_bytes(ratings.read_bytes().replace(b"[2.0000, 3.0000, 3.0000]", b"[2.0000]"))
    with pytest.raises(ValueError, match=r"2 of 24 clips of data/iemocap are damaged \(8.3%"):
        run(monkeypatch, manifest__max_rejected=0.08)
    run(monkeypatch, manifest__max_rejected=0.09)
    assert labels.read_facts("affect").clips == 22


def test_each_corpus_has_its_options_in_params():
    """manifest.<corpus> is the section of the corpus's own Params; parsers without options have none."""
    fields = typing.get_type_hints(_section())
    parsers = {name: registry.corpus(name).params for name in registry.names()}
    assert {name: fields[name] for name in fields if name in parsers} == {
        name: params for name, params in parsers.items() if params
    }


def test_strict_params(tmp_path):
    made = settings()
    made["manifest"]["emotion"]["actor"] = made["manifest"]["emotion"].pop("actors")
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(made))
    with pytest.raises(ValueError, match=r"manifest\.emotion: unknown key actor"):
        manifest.configure(tmp_path / "p.yaml")
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(settings()))
    config = manifest.configure(tmp_path / "p.yaml")
    assert config.compute == params_file.read(tmp_path / "p.yaml", "compute", ComputeParams)


def test_archives_that_nobody_unpacked_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "download"
    root.mkdir()
    for name in ("Audio_Speech_Actors_01-24.zip", "Video_Speech_Actor_01.zip"):
        (root / name).touch()
    for name, found in (("ravdess", "no usable clip of ravdess was found"), ("iemocap", "holds no Session1")):
        corpora = {
            "emotion": {"name": name, "root": "download"},
            "affect": {"name": None, "root": "download"},
            "faces": None,
        }
        with pytest.raises(
            ValueError, match=rf"{found}.*; unpack its 2 archives \(Audio_Speech_.*\.zip, \.\.\.\) first"
        ):
            run(monkeypatch, corpora=corpora)


def test_a_corpus_that_an_experiment_lacks_is_named(tmp_path, monkeypatch):
    copy = tmp_path / "project/.dvc/tmp/exps/standalone/tmpabc"
    copy.mkdir(parents=True)
    (tmp_path / "project/data/ravdess").mkdir(parents=True)
    monkeypatch.chdir(copy)
    with pytest.raises(ValueError, match=r"data/ravdess: not in this copy of the project: .* what git tracks"):
        run(monkeypatch)


def test_a_class_without_training_clips_is_a_warning(project, monkeypatch, capsys):
    """Actors 1 and 2 train, without their happy clips."""
    for path in (project / "data/ravdess").rglob("0[23]-01-03-*-0[12].*"):
        path.unlink()
    for arguments in (("--check",), ()):
        run(monkeypatch, *arguments)
        printed = capsys.readouterr().out
        assert printed.count("warning") == 1 and "warning: the training clips lack happy;" in printed
