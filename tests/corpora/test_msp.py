"""MSP-IMPROV and MSP-Podcast: label lines, scales, partitions."""

import json
from pathlib import Path

import pytest
from corpus_trees import by_id, reasons, touch

from avemotion.corpora import msp_improv, msp_podcast
from avemotion.manifest import splits
from avemotion.params.manifest import AffectParams

TEST1 = msp_podcast.Params(tests=["Test1"])
HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
RATERS = (
    "WORKER00000001; Neutral; Neutral,Concerned; A:3.000000; V:3.000000; D:NaN; N:3.000000;\n"
    "WORKER00000002; Other (caf\xe9); ; A:2.000000; V:4.000000; D:2.000000; N:3.000000;\n\n"
)


def improv(root: Path, *lines: str) -> Path:
    """Evaluation.txt with rater lines after each turn."""
    root.mkdir(exist_ok=True)
    (root / "Evaluation.txt").write_bytes("".join(f"{line}\n{RATERS}" for line in lines).encode("latin-1"))
    return root


def rated(name: str, category: str = "N", a: str = "3.000000", v: str = "2.600000", d: str = "3.200000") -> str:
    return f"UTD-IMPROV-{name}.avi; {category}; A:{a}; V:{v}; D:{d} ; N:4.000000;"


def test_improv_reads_turns(tmp_path):
    improv(
        tmp_path,
        rated("S01A-F01-P-FM01", "A", a="4.5", v="1.25", d="NaN"),
        rated("S02H-M06-S-FM01", "X"),
        rated("S03N-M02-R-MM12", "O", a="NaN", v="NaN", d="NaN"),
    )
    touch(tmp_path, "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav", "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.avi")
    touch(tmp_path, "session6/S02H/S/MSP-IMPROV-S02H-M06-S-FM01.wav", "session2/S03N/R/MSP-IMPROV-S03N-M02-R-MM12.wav")
    clips, rejects = msp_improv.list_clips(tmp_path, None)
    first, second, third = by_id(clips).values()
    assert (first.id, first.speaker, first.gender, first.session) == ("S01A-F01-P-FM01", "F01", "female", 1)
    assert (first.emotion, first.arousal, first.valence, first.dominance) == ("angry", 4.5, 1.25, None)
    assert (first.statement, first.dialogue) == ("S01A", None)
    assert first.audio == "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav" and first.video == first.audio[:-3] + "avi"
    assert (second.speaker, second.gender, second.session, second.emotion) == ("M06", "male", 6, "no agreement")
    assert (third.emotion, third.valence, third.arousal) == ("other", None, None)
    assert reasons(rejects) == {
        "session2/S03N/R/MSP-IMPROV-S03N-M02-R-MM12.avi": "missing: sound only",
        "session6/S02H/S/MSP-IMPROV-S02H-M06-S-FM01.avi": "missing: sound only",
    }


def test_improv_names_lines_it_cannot_use(tmp_path):
    name = "S01A-F01-P-FM01"
    improv(
        tmp_path,
        rated(name),
        rated(name, "A"),
        rated("S01A-F09-P-FM01"),
        rated("S01A-F01-P-FM02", a="high"),
        rated("S01A-F01-P-FM03", "Z"),
        rated("S01A-F01-P-FM04"),
        "UTD-IMPROV-",
    )
    touch(tmp_path, f"session1/S01A/P/MSP-IMPROV-{name}.wav", "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM09.wav")
    touch(tmp_path, "session1/notes.wav")
    clips, rejects = msp_improv.list_clips(tmp_path, None)
    assert [clip.emotion for clip in clips] == ["neutral"]
    form = "not of the form UTD-IMPROV-id.avi; class; A"
    assert {path: reason.partition(": ")[0].partition(":")[0] for path, reason in reasons(rejects).items()} == {
        "Evaluation.txt:5": "listed twice, the first line is used",
        "Evaluation.txt:9": form,
        "Evaluation.txt:13": form,
        "Evaluation.txt:17": form,
        "Evaluation.txt:25": form,
        "session*/*/*/*.avi": "none of 1 expected files session*/*/*/*.avi exists",
        "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM04.wav": "missing, and the avi too",
        "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM09.wav": "no rated turn of this name in Evaluation.txt",
        "session1/notes.wav": "name is not MSP-IMPROV-S01A-F01-P-FM01 or alike",
    }
    assert sum(reject.lost for reject in rejects) == 5
    with pytest.raises(ValueError, match=r"holds no Evaluation\.txt"):
        msp_improv.list_clips(tmp_path / "session1", None)


def test_improv_counts_of_a_whole_copy():
    whole = msp_improv.whole(None)
    assert whole.clips == sum(whole.groups["emotion"].values()) == 8438


def podcast(root: Path, *rows: str, name: str = "labels_concensus.csv") -> Path:
    (root / "Labels").mkdir(parents=True, exist_ok=True)
    (root / "Labels" / name).write_text(HEADER + "".join(f"{row}\n" for row in rows))
    touch(root, *(f"Audios/{row.partition(',')[0]}" for row in rows))
    return root


ROWS = (
    "MSP-PODCAST_0001_0008.wav,N,2.2,4,4.6,127,Female,Test1",
    "MSP-PODCAST_0001_0019.wav,X,7,1.0,,Unknown,Unknown,Train",
    "MSP-PODCAST_0002_0033.wav,C,3,3.5,3.5,12,Male,Development",
    "MSP-PODCAST_0002_0034.wav,O,3,3.5,3.5,12,Male,Validation",
    "MSP-PODCAST_0003_0001.wav,A,3,3.5,3.5,Unknown,Male,Test2",
    "MSP-PODCAST_0003_0002.wav,A,3,3.5,3.5,Unknown,Male,Test1",
)


@pytest.mark.parametrize("name", ["labels_concensus.csv", "labels_consensus.csv"])
def test_podcast_reads_rows(tmp_path, name):
    clips, rejects = msp_podcast.list_clips(podcast(tmp_path, *ROWS, name=name), TEST1)
    found = list(by_id(clips).values())
    first = found[0]
    assert (first.id, first.audio) == ("MSP-PODCAST_0001_0008", "Audios/MSP-PODCAST_0001_0008.wav")
    assert (first.arousal, first.valence, first.dominance, first.emotion) == (2.2, 4.0, 4.6, "neutral")
    assert (first.speaker, first.gender, first.part, first.video) == ("127", "female", "test", None)
    assert [(clip.emotion, clip.part, clip.speaker) for clip in found[1:]] == [
        ("no agreement", "train", "Unknown_Train"),
        ("contempt", "val", "12"),
        ("other", "val", "12"),
        ("angry", "test", "Unknown_Test1"),
    ]
    assert found[1].dominance is None and found[1].gender is None
    assert reasons(rejects) == {
        f"Labels/{name} Split_Set Test2": "1 clips; manifest.msp_podcast.tests does not name it"
    }
    assert msp_podcast.CORPUS.scale == (1, 7)
    with pytest.raises(ValueError, match=r"affect\.split is given and gives train, val and test, .* use speakers"):
        splits.assign("affect", clips, AffectParams(split="given", folds=5, deal=0), 0)


def test_podcast_reads_json(tmp_path):
    csv_clips, _ = msp_podcast.list_clips(podcast(tmp_path / "csv", *ROWS), TEST1)
    podcast(tmp_path / "json", *ROWS)
    (tmp_path / "json/Labels/labels_concensus.csv").unlink()
    names = HEADER.strip().split(",")
    table = {row.split(",")[0]: dict(zip(names[1:], row.split(",")[1:], strict=True)) for row in ROWS}
    (tmp_path / "json/Labels/labels_consensus.json").write_text(json.dumps(table))
    assert msp_podcast.list_clips(tmp_path / "json", TEST1)[0] == csv_clips


def test_podcast_names_rows_it_cannot_use(tmp_path):
    podcast(
        tmp_path,
        ROWS[0],
        ROWS[0],
        "a.wav,Q,2,2,2,1,Male,Train",
        "b.wav,N,two,2,2,1,Male,Train",
        "c.wav,N,2,inf,2,1,Male,Train",
        "d.wav,N,2,2,2,1,Male,Holdout",
        "e.wav,N,2,2,2,1,Male",
        "f.wav,N,2,2,2,1,Male,Train",
    )
    (tmp_path / "Audios/f.wav").unlink()
    touch(tmp_path, "Audios/unlisted.wav")
    clips, rejects = msp_podcast.list_clips(tmp_path, TEST1)
    assert len(clips) == 1
    place = "Labels/labels_concensus.csv"
    assert reasons(rejects) == {
        f"{place}:3": "listed twice, the first row is used: MSP-PODCAST_0001_0008",
        f"{place}:4": "not a row of labels: EmoClass 'Q'",
        f"{place}:5": "not a row of labels: could not convert string to float: 'two'",
        f"{place}:6": "not a row of labels: inf is not finite",
        f"{place}:7": "not a row of labels: Split_Set 'Holdout'",
        f"{place}:8": "another number of cells than the header",
        "Audios/f.wav": "missing",
        "Audios/*.wav": f"2 sounds without a row in {place}",
    }
    assert sum(reject.lost for reject in rejects) == 6


def test_podcast_without_labels_says_which_folder_to_name(tmp_path):
    with pytest.raises(ValueError, match="name the folder that holds Labels and Audios"):
        msp_podcast.list_clips(tmp_path, TEST1)
    podcast(tmp_path)
    (tmp_path / "Labels/labels_concensus.csv").write_text("FileName,EmoClass\n")
    with pytest.raises(ValueError, match=r"labels_concensus\.csv: no column EmoAct, EmoVal"):
        msp_podcast.list_clips(tmp_path, TEST1)
    with pytest.raises(ValueError, match=r"tests is \[\]; give"):
        msp_podcast.Params(tests=[])
