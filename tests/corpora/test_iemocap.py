"""IEMOCAP on trees with the irregularities of the published corpus."""

from pathlib import Path

import pytest
from corpus_trees import by_id, dialogue, reasons, turn_line, video, wav

from avemotion.corpora import iemocap

WHOLE = iemocap.Params(parts=["impro", "script"], wearer_side="left")


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
    assert (
        reasons(rejects)["Session*/dialog/avi/DivX/*.avi"]
        == "none of 2 expected files Session*/dialog/avi/DivX/*.avi exists: sound only"
    )


def test_iemocap_takes_files_whose_suffix_is_in_capitals(tmp_path):
    session = iemocap_tree(tmp_path)
    for path in [*session.glob("sentences/wav/*/*.wav"), *session.glob("dialog/avi/DivX/*.avi")]:
        path.rename(path.with_suffix(path.suffix.upper()))
    clips, rejects = iemocap.list_clips(tmp_path, WHOLE)
    turn = by_id(clips)["Ses01F_impro01_M000"]
    assert turn.video == "Session1/dialog/avi/DivX/Ses01F_impro01.AVI" and turn.video_start == turn.start
    assert turn.audio == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.WAV"
    assert rejects == []


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
