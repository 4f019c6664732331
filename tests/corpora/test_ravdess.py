"""RAVDESS on trees with the irregularities of the published corpus."""

import pytest
from corpus_trees import ravdess, ravdess_ids, reasons, touch

from avemotion.corpora import ravdess as ravdess_corpus

SPEECH = ravdess_corpus.Params(channels=["speech"])


def test_ravdess_reads_a_name(tmp_path):
    ravdess(tmp_path / "r", ["01-06-02-02-01-12", "01-01-01-01-02-05"])
    clips, rejects = ravdess_corpus.list_clips(tmp_path / "r", SPEECH)
    assert not rejects
    male, female = clips
    assert (male.id, male.speaker, male.gender, male.emotion) == ("01-01-01-01-02-05", "Actor_05", "male", "neutral")
    assert (male.intensity, male.statement, male.repetition) == ("normal", "kids", "2")
    assert (female.speaker, female.gender, female.emotion) == ("Actor_12", "female", "fearful")
    assert (female.intensity, female.statement, female.repetition) == ("strong", "dogs", "1")
    assert female.audio == "Actor_12/03-01-06-02-02-01-12.wav"
    assert female.video == "Actor_12/02-01-06-02-02-01-12.mp4"
    assert female.valence is None and female.video_start is None and female.session is None


def test_ravdess_odd_actors_are_men(tmp_path):
    touch(tmp_path, *(f"03-{clip_id}.wav" for clip_id in ravdess_ids(range(1, 25), [1])))
    clips, _ = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert [clip.gender for clip in clips] == ["male", "female"] * 12
    assert len({clip.speaker for clip in clips}) == 24


@pytest.mark.parametrize(
    ("sound", "picture"),
    [
        ("Actor_05", "Actor_05"),
        ("Audio_Speech_Actors_01-24/Actor_05", "Video_Speech_Actor_05/Actor_05"),
        ("ACTOR05", "ACTOR05"),
    ],
)
def test_ravdess_pairs_halves_in_every_layout(tmp_path, sound, picture):
    name = "01-03-01-01-02-05"
    touch(tmp_path, f"{sound}/03-{name}.wav", f"{picture}/02-{name}.mp4")
    (clip,), rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert (clip.audio, clip.video) == (f"{sound}/03-{name}.wav", f"{picture}/02-{name}.mp4")
    assert not rejects


def test_ravdess_uses_one_of_a_doubled_copy(tmp_path):
    files = ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_01/02-01-01-01-01-01-01.mp4")
    touch(tmp_path, *files, *(f"AAA_nested/{name}" for name in files))  # first by name, but deeper
    (clip,), rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert (clip.audio, clip.video) == files
    assert reasons(rejects) == {f"AAA_nested/{name}": f"double: the name is used by {name}" for name in files}
    assert sum(reject.lost for reject in rejects) == 0


def test_ravdess_leaves_out_and_says_so(tmp_path):
    touch(
        tmp_path,
        *("A/01-01-01-01-01-01-01.mp4", "A/01-01-02-01-01-01-01.mp4", "A/03-02-03-01-01-01-01.wav"),
        *("A/03-01-01-01-01-01-01.wav", "A/02-01-01-01-01-01-01.mp4"),
        *("A/03-01-09-01-01-01-01.wav", "A/03-01-01-01-01-01-25.wav", "A/notes.wav"),
        *("A/03-01-02-01-01-01-01.mp4", "A/readme.txt", "A/._03-01-01-01-01-01-01.wav", ".cache/x.wav"),
    )
    clips, rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert [clip.id for clip in clips] == ["01-01-01-01-01-01"]
    found = reasons(rejects)
    assert found["01-*"].startswith("2 audio-video files")
    assert found["0?-02-*"].startswith("1 song files")
    scheme = "name is not MM-CC-EE-II-SS-RR-AA with ids of RAVDESS"
    named = ("A/03-01-09-01-01-01-01.wav", "A/03-01-01-01-01-01-25.wav", "A/notes.wav")
    assert [found.pop(name) for name in named] == [scheme] * 3
    assert set(found) == {"01-*", "0?-02-*", "A/03-01-02-01-01-01-01.mp4"}
    both = ravdess_corpus.list_clips(tmp_path, ravdess_corpus.Params(channels=["speech", "song"]))[0]
    assert [clip.id for clip in both] == ["01-01-01-01-01-01", "02-03-01-01-01-01"]


def test_ravdess_keeps_a_clip_with_one_half(tmp_path):
    ids = ravdess_ids([1], range(1, 4))
    ravdess(tmp_path, ids)
    (tmp_path / f"Actor_01/03-{ids[0]}.wav").unlink()
    (tmp_path / f"Actor_01/02-{ids[1]}.mp4").unlink()
    clips, rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert [(bool(clip.audio), bool(clip.video)) for clip in clips] == [(False, True), (True, False), (True, True)]
    assert reasons(rejects) == {
        f"Actor_01/03-{ids[0]}.wav": "missing: picture only",
        f"Actor_01/02-{ids[1]}.mp4": "missing: sound only",
    }
    for clip_id in ids[:1] + ids[2:]:
        (tmp_path / f"Actor_01/02-{clip_id}.mp4").unlink()
    clips, rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert [clip.id for clip in clips] == ids[1:]
    assert reasons(rejects) == {"02-*.mp4": "none of 2 expected files 02-*.mp4 exists: sound only"}


def test_ravdess_takes_whole_films_where_there_is_nothing_else(tmp_path):
    ids = ravdess_ids([1], [1, 2])
    touch(tmp_path, *(f"Video_Speech_Actor_01/Actor_01/01-{clip_id}.mp4" for clip_id in ids), f"copy/01-{ids[0]}.mp4")
    clips, rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert [(clip.id, clip.audio) for clip in clips] == [
        (ids[0], f"copy/01-{ids[0]}.mp4"),
        (ids[1], f"Video_Speech_Actor_01/Actor_01/01-{ids[1]}.mp4"),
    ]
    assert all(clip.audio == clip.video for clip in clips)
    doubled = f"Video_Speech_Actor_01/Actor_01/01-{ids[0]}.mp4"
    assert reasons(rejects) == {doubled: f"double: the name is used by copy/01-{ids[0]}.mp4"}

    touch(tmp_path, f"Actor_01/03-{ids[0]}.wav")  # now films give the picture, wavs the sound
    clips, rejects = ravdess_corpus.list_clips(tmp_path, SPEECH)
    assert [(clip.audio, clip.video is not None) for clip in clips] == [
        (f"Actor_01/03-{ids[0]}.wav", True),
        (None, True),
    ]


def test_ravdess_counts_of_a_whole_copy():
    whole = ravdess_corpus.whole(SPEECH)
    assert (whole.clips, sum(whole.groups["emotion"].values()), whole.groups["emotion"]["neutral"]) == (1440, 1440, 96)
    both = ravdess_corpus.whole(ravdess_corpus.Params(channels=["speech", "song"]))
    assert both.clips == sum(both.groups["emotion"].values()) == 2452
    assert (both.groups["speaker"]["Actor_18"], both.groups["speaker"]["Actor_17"]) == (60, 104)
    assert (both.groups["emotion"]["happy"], both.groups["emotion"]["disgust"]) == (376, 192)


def test_ravdess_follows_links_without_going_in_circles(tmp_path):
    ravdess(tmp_path / "elsewhere", ravdess_ids([3], [1]))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/Actor_03").symlink_to(tmp_path / "elsewhere/Actor_03")
    (tmp_path / "root/again").symlink_to(tmp_path / "root")
    clips, rejects = ravdess_corpus.list_clips(tmp_path / "root", SPEECH)
    assert [clip.audio for clip in clips] == ["Actor_03/03-01-01-01-01-01-03.wav"]
    assert not rejects


def test_ravdess_refuses_no_channel():
    for channels in ([], ["speech", "speech"]):
        with pytest.raises(ValueError, match=r"channels is .*; give"):
            ravdess_corpus.Params(channels=channels)
