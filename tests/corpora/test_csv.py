"""A table of one's own: the template, the cells, and errors that name rows."""

from pathlib import Path

import pytest
from corpus_trees import by_id, touch

from avemotion.corpora import csv
from avemotion.manifest import splits
from avemotion.params.manifest import AffectParams

SCALED = csv.Params(table="clips.csv", scale=[1.0, 5.0], cut_video=False)
CUT = csv.Params(table="clips.csv", scale=None, cut_video=True)


def write(root: Path, text: str, *media: str) -> Path:
    (root / "clips.csv").write_text(text, encoding="utf-8")
    touch(root, *media)
    return root


def test_the_template_is_a_table(tmp_path):
    write(tmp_path, csv.TEMPLATE, "wav/one.wav", "films/one.mp4", "wav/two_1.wav", "wav/two_2.wav")
    clips, rejects = csv.list_clips(tmp_path, SCALED)
    assert not rejects
    one, first, second = by_id(clips).values()
    assert (one.audio, one.video, one.emotion, one.valence, one.arousal) == (
        *("wav/one.wav", "films/one.mp4", "happy", 4.5, 3.5),
    )
    assert (one.dominance, one.dialogue, one.turn, one.part, one.gender) == (None, None, None, "train", "female")
    assert (first.turn, first.start, first.end, first.text, first.part) == (0, 0.0, 2.25, "Good morning", "test")
    assert (second.turn, second.emotion, second.valence, second.text) == (1, None, None, "Is it, really?")
    assert second.video_start is None


def test_few_columns_in_any_order_are_enough(tmp_path):
    write(tmp_path, '\ufeffspeaker, audio ,id\r\nAda,a b\'s "ö".wav,x,\r\n'.replace("x,\r", "x\r"), 'a b\'s "ö".wav')
    (clip,), rejects = csv.list_clips(tmp_path, CUT)
    assert not rejects
    assert (clip.id, clip.speaker, clip.audio, clip.emotion, clip.video) == ("x", "Ada", 'a b\'s "ö".wav', None, None)


def test_turns_are_in_the_order_of_start_or_of_the_table(tmp_path):
    rows = (
        "id,audio,speaker,dialogue,start\nb,b.wav,S,d,3\na,a.wav,T,d,9\nc,c.wav,S,d,1.5\nz,z.wav,S,e,\ny,y.wav,T,e,\n"
    )
    write(tmp_path, rows, *(f"{name}.wav" for name in "abcyz"))
    clips, _ = csv.list_clips(tmp_path, SCALED)
    assert {clip.id: clip.turn for clip in clips} == {"c": 0, "b": 1, "a": 2, "z": 0, "y": 1}


def test_a_film_of_many_rows_is_cut(tmp_path):
    rows = "id,audio,video,speaker,start,end\na,a.wav,f.mp4,S,1,2.5\nb,,f.mp4,T,2.5,3\n"
    write(tmp_path, rows, "a.wav", "f.mp4")
    clips, _ = csv.list_clips(tmp_path, CUT)
    assert [(clip.video_start, clip.video_end, clip.start) for clip in clips] == [(1.0, 2.5, 1.0), (2.5, 3.0, 2.5)]
    with pytest.raises(ValueError, match=r"row 3: video is that of row 2 too; set manifest\.csv\.cut_video: true"):
        csv.list_clips(tmp_path, SCALED)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,b.wav,S,,,,,", "row 3: id 'a' is that of row 2 too"),
        (",b.wav,S,,,,,", "row 3: id '' is empty or no file name"),
        ("x/y,b.wav,S,,,,,", "row 3: id 'x/y' is empty or no file name"),
        ("b,b.wav,,,,,,", "row 3: speaker is empty"),
        ("b,,S,,,,,", "row 3: audio and video are empty; name one"),
        ("b,/b.wav,S,,,,,", r"row 3: audio '/b\.wav' is not below the corpus root"),
        ("b,../b.wav,S,,,,,", r"row 3: audio '\.\./b\.wav' is not below"),
        ("b,a.wav,S,,,,,", "row 3: audio is that of row 2 too; cut the recording"),
        ('b,b.wav,S,"3,5",,,,', "row 3: valence is '3,5', which is no number; use a point"),
        ("b,b.wav,S,inf,,,,", "row 3: valence is 'inf', which is no number"),
        ("b,b.wav,S,5.5,,,,", r"row 3: valence is 5\.5, outside manifest\.csv\.scale \(1 to 5\)"),
        ("b,b.wav,S,,f,,,", "row 3: gender is 'f'; write male, female or nothing"),
        ("b,b.wav,S,,,dev,,", "row 3: split is 'dev'; write train, val, test, or the number"),
        ("b,b.wav,S,,,01,,", "row 3: split is '01'"),
        ("b,b.wav,S,,,,4,3", "row 3: start 4 and end 3 are no stretch of time"),
        ("b,b.wav,S,,,,,,extra", "row 3: has more or fewer cells than the header; quote text"),
    ],
)
def test_wrong_cells_are_named_by_row(tmp_path, row, message):
    header = "id,audio,speaker,valence,gender,split,start,end\n"
    write(tmp_path, f"{header}a,a.wav,S,,,,,\n{row}\n", "a.wav", "b.wav")
    with pytest.raises(ValueError, match=rf"clips\.csv:\n  {message}"):
        csv.list_clips(tmp_path, SCALED)


def test_many_wrong_rows_are_counted(tmp_path):
    write(tmp_path, "id,audio,speaker\n" + "".join(f"{i},{i}.wav,\n" for i in range(100)))
    with pytest.raises(ValueError, match=r"row 2: .*\n  row 3: (.*\n)+  and 95 more"):
        csv.list_clips(tmp_path, SCALED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"clips\.csv: no column id, speaker"),
        (b"id;audio;speaker\n1;a;b\n", "separate the columns by commas"),
        (b"id,audio,speaker,valance\na,a.wav,S,1\n", "unknown column valance; known are id, audio"),
        (b"id,speaker\na,S\n", "no column audio or video"),
        (b"id,id,audio,speaker\n", "column id occurs twice"),
        (b"id,audio,speaker\n\xe9,a.wav,S\n", r"not UTF-8 \(byte 17\); save it as CSV in UTF-8"),
        (b'id,audio,speaker\na,"a.wav,S\n' + b"x" * 200_000, r"not a comma-separated table \(field larger"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, content, message):
    (tmp_path / "clips.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        csv.list_clips(tmp_path, SCALED)


def test_no_table_leads_to_the_template(tmp_path):
    with pytest.raises(ValueError, match=r"clips\.csv is no file; name the table .*--template"):
        csv.list_clips(tmp_path, SCALED)
    with pytest.raises(ValueError, match=r"scale is \[5\.0, 1\.0\]; give \[lowest, highest\]"):
        csv.Params(table="t", scale=[5.0, 1.0], cut_video=False)


def test_given_folds(tmp_path):
    rows = "".join(f"{i},{i}.wav,S{i // 2},{i // 2 + 1}\n" for i in range(8))
    write(tmp_path, "id,audio,speaker,split\n" + rows, *(f"{i}.wav" for i in range(8)))
    clips, _ = csv.list_clips(tmp_path, SCALED)
    part_of = splits.assign("affect", clips, AffectParams(split="given", folds=5, deal=0), 0)
    assert splits.fold_numbers(part_of) == [1, 2, 3, 4] and part_of["7"] == "4"
