"""Parsers on trees with the irregularities of the published corpora."""

import os
from pathlib import Path

import pytest
from corpus_trees import by_id, dialogue, ravdess, ravdess_ids, reasons, touch, turn_line, video, wav

from avemotion.corpora import iemocap
from avemotion.corpora import ravdess as ravdess_corpus
from avemotion.parsing.clip import COARSE
from avemotion.parsing.registry import CORPORA

SPEECH = ravdess_corpus.Params(channels=["speech"])
WHOLE = iemocap.Params(parts=["impro", "script"], wearer_side="left")


def test_every_corpus_is_complete():
    for name, corpus in CORPORA.items():
        assert name.isidentifier()
        assert set(corpus.coarse.values()) <= set(COARSE)
        if corpus.emotions:
            assert set(corpus.coarse) | corpus.unlabelled == set(corpus.emotions)


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
    assert reasons(rejects) == {"02-*.mp4": "none of 2 such files is there: sound only"}


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


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    ravdess(tmp_path, ravdess_ids([1], [1]))
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("Actor_01"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ValueError, match=r"Actor_01: cannot be listed \(Permission denied\)"):
        ravdess_corpus.list_clips(tmp_path, SPEECH)


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


def iemocap_tree(root: Path) -> Path:
    """A dialogue worn by F; M speaks first; F's turns are listed first."""
    name = "Ses01F_impro01"
    lines = [
        turn_line(f"{name}_F000", 2.0, 3.25, "xxx", (5.5, 1, 0.5)),
        turn_line(f"{name}_F001", 4.0, 4.5, "oth"),
        turn_line(f"{name}_M000", 1.0, 2.5, "fru", (1, 2, 3)),
        turn_line(f"{name}_M001", 3.5, 4.25, "exc"),
    ]
    transcript = (
        f"{name}_M000 [001.0000-002.5000]: Caf\xe9,  NA?\nM: not a line of the form\n"
        f"{name}_FXX0 [000.1000-000.2000]: Hm.\n{name}_F000 [002.0000-003.2500]: Yes\n"
    )
    return dialogue(root, name, lines, transcript)


def test_iemocap_reads_turns(tmp_path):
    iemocap_tree(tmp_path)
    clips, rejects = iemocap.list_clips(tmp_path, WHOLE)
    assert not rejects
    turns = by_id(clips)
    in_time = sorted(clips, key=lambda clip: clip.turn)
    assert [clip.id[-4:] for clip in in_time] == ["M000", "F000", "M001", "F001"]
    assert [clip.turn for clip in in_time] == [0, 1, 2, 3]
    first, second = in_time[:2]
    assert (first.speaker, first.gender, second.speaker, second.gender) == ("Ses01M", "male", "Ses01F", "female")
    assert [turns[f"Ses01F_impro01_{n}"].emotion for n in ("F000", "F001", "M000")] == ["xxx", "oth", "fru"]
    assert (second.valence, second.arousal, second.dominance) == (5.5, 1.0, 0.5)
    assert (first.valence, first.arousal, first.dominance) == (1.0, 2.0, 3.0)
    assert first.audio == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"
    assert first.video == second.video == "Session1/dialog/avi/DivX/Ses01F_impro01.avi"
    assert (first.video_start, first.video_end, first.start, first.end) == (1.0, 2.5, 1.0, 2.5)
    assert (first.text, second.text, turns["Ses01F_impro01_F001"].text) == ("Café, NA?", "Yes", None)
    assert (first.session, first.dialogue) == (1, "Ses01F_impro01")


@pytest.mark.parametrize(
    ("name", "letter", "side", "left"),
    [
        ("Ses01F_impro01", "F", "left", True),
        ("Ses01F_impro01", "M", "left", False),
        ("Ses03M_impro05a", "M", "left", True),
        ("Ses05M_script01_1b", "F", "left", False),
        ("Ses05M_script01_1b", "F", "right", True),
        ("Ses03M_impro05a", "M", "right", False),
    ],
)
def test_iemocap_cuts_the_half_of_the_speaker(tmp_path, name, letter, side, left):
    dialogue(tmp_path, name, [turn_line(f"{name}_{letter}000", 1, 2)])
    (clip,), _ = iemocap.list_clips(tmp_path, iemocap.Params(parts=["impro", "script"], wearer_side=side))
    assert clip.speaker == name[:5] + letter
    assert clip.session == int(name[4])
    assert clip.video_crop == ((0.0, 0.2542, 0.5, 0.75) if left else (0.5, 0.2542, 1.0, 0.75))
    # rows 122 to 360 of 480, columns of one half of 720
    assert [round(edge * size) for edge, size in zip(clip.video_crop, (720, 480, 720, 480), strict=True)] == (
        [0, 122, 360, 360] if left else [360, 122, 720, 360]
    )


def test_iemocap_passes_over_strays(tmp_path):
    session = iemocap_tree(tmp_path)
    folder = session / "dialog/EmoEvaluation"
    (folder / "Categorical").mkdir()
    (folder / "Categorical/Ses01F_impro01_e1_cat.txt").write_text("Ses01F_impro01_F000 :Neutral; ()\n")
    (folder / "Attribute.txt").mkdir()
    (folder / "._Ses01F_impro01.txt").write_bytes(b"\0\xff[1 - 2]")
    (folder / "notes.pk").write_bytes(b"\0")
    (folder / "readme.txt").write_text("[1.0 - 2.0]\n")
    (folder / "Ses02F_impro01.txt").write_text(turn_line("Ses02F_impro01_F000", 1, 2))
    (session / "sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav").touch()
    wav(session / "sentences/wav/Ses01F_impro01/Ses01F_impro01_FXX0.wav", 1)
    clips, rejects = iemocap.list_clips(tmp_path, WHOLE)
    assert len(clips) == 4
    name = "name is not that of a dialogue of this session, such as Ses01F_impro01"
    assert reasons(rejects) == {
        "Session1/dialog/EmoEvaluation/Ses02F_impro01.txt": name,
        "Session1/dialog/EmoEvaluation/readme.txt": name,
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_FXX0.wav": "no rated turn of this name in EmoEvaluation",
    }
    assert sum(reject.lost for reject in rejects) == 0


def test_iemocap_names_lines_it_cannot_use(tmp_path):
    name = "Ses02M_script01_1"
    good = turn_line(f"{name}_F000", 1, 2)
    lines = [
        good,
        turn_line(f"{name}_FXX0", 2, 3),
        f"[3.0 - 4.0]\t{name}_F001\tneu\t[2.5, , 2.5]\n",
        turn_line("Ses02F_impro01_F000", 1, 2),
        turn_line(f"{name}_F002", 2, 2),
        good,
    ]
    dialogue(tmp_path, name, [good])
    dialogue(tmp_path, name, lines, media=False)
    clips, rejects = iemocap.list_clips(tmp_path, WHOLE)
    assert [clip.id for clip in clips] == [f"{name}_F000"]
    # two header lines, then six lines a turn: its own, four of raters and a blank one
    assert [(reject.path.rpartition(":")[2], reject.reason.partition(":")[0], reject.lost) for reject in rejects] == [
        ("15", "not of the form [start - end] id emotion [V, A, D]", 1),
        ("21", "not a turn of this dialogue", 1),
        ("27", "ends before it starts", 1),
        ("33", "listed twice, the first line is used", 0),
        ("9", "unlabelled turn", 0),
    ]


def test_iemocap_keeps_what_media_there_is(tmp_path):
    session = iemocap_tree(tmp_path)
    other = dialogue(tmp_path, "Ses01M_impro01", [turn_line("Ses01M_impro01_F000", 1, 2)])
    lost = session / "sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav"
    lost.unlink()
    clips, rejects = iemocap.list_clips(tmp_path, WHOLE)
    turn = by_id(clips)["Ses01F_impro01_M001"]
    assert turn.audio is None and turn.video
    assert reasons(rejects) == {lost.relative_to(tmp_path).as_posix(): "missing: picture only"}

    avi = session / "dialog/avi/DivX/Ses01F_impro01.avi"
    avi.unlink()
    clips, rejects = iemocap.list_clips(tmp_path, WHOLE)
    assert [clip.turn for clip in clips if clip.dialogue == "Ses01F_impro01"] == [1, 3, 0]  # by id: F000, F001, M000
    sound_only = by_id(clips)["Ses01F_impro01_M000"]
    assert sound_only.video is sound_only.video_start is sound_only.video_end is sound_only.video_crop is None
    assert sound_only.start == 1.0
    assert reasons(rejects) == {
        avi.relative_to(tmp_path).as_posix(): "missing: sound only",
        lost.relative_to(tmp_path).as_posix(): "missing, and the dialogue's avi too: the turn is lost",
    }
    assert sum(reject.lost for reject in rejects) == 1

    (other / "dialog/avi/DivX/Ses01M_impro01.avi").unlink()
    _, rejects = iemocap.list_clips(tmp_path, WHOLE)
    assert reasons(rejects)["Session*/dialog/avi/DivX/*.avi"] == "none of 2 such files is there: sound only"


def test_iemocap_leaves_out_parts(tmp_path):
    iemocap_tree(tmp_path)
    dialogue(tmp_path, "Ses05M_script01_1b", [turn_line("Ses05M_script01_1b_M000", 1, 2)])
    clips, rejects = iemocap.list_clips(tmp_path, iemocap.Params(parts=["script"], wearer_side="left"))
    assert [clip.id for clip in clips] == ["Ses05M_script01_1b_M000"]
    assert reasons(rejects) == {"Session1/*_impro*": "4 turns; manifest.iemocap.parts does not name impro"}


def test_iemocap_without_sessions_says_which_folder_to_name(tmp_path):
    video(tmp_path / "IEMOCAP/Session1/dialog/avi/DivX/Ses01F_impro01.avi", 1)
    with pytest.raises(ValueError, match="name the folder that holds Session1"):
        iemocap.list_clips(tmp_path, WHOLE)
