"""MELD: three tables, films whose names repeat, and the published faults."""

import csv
from pathlib import Path

import pytest
from corpus_trees import by_id, film, reasons, touch
from manifest_toys import emotion_params

from avemotion.corpora import meld
from avemotion.manifest import splits
from avemotion.manifest.probe import probe

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}


def line(
    speaker: str, emotion: str, dialogue: int, utterance: int, text: str = "Hi", start: str = "00:16:16,059"
) -> str:
    return f'1,"{text}",{speaker},{emotion},neutral,{dialogue},{utterance},8,21,"{start}","00:16:21,731"\n'


def tree(root: Path, **rows: list[str]) -> Path:
    """Tables and (empty) films; a part without rows has one of its own."""
    for part, folder in FOLDERS.items():
        lines = rows.get(part, [line("Ross", "joy", 0, 0)])
        (root / f"{part}_sent_emo.csv").write_bytes((HEADER + "".join(lines)).encode("cp1252"))
        for row in lines:
            cells = next(csv.reader([row]))
            touch(root, f"{folder}/dia{cells[5]}_utt{cells[6]}.mp4")
    return root


def test_utterances_are_turns_in_order(tmp_path):
    tree(
        tmp_path,
        train=[
            line("Chandler", "neutral", 3, 1, "Caf\u00e9 \u2026"),
            line("Rachel", "Surprise", 3, 0, start="1:00:00,5"),
            line("Rachel", "fear", 3, 4, start="soon"),
        ],
    )
    clips, rejects = meld.list_clips(tmp_path, None)
    assert not rejects
    found = by_id(clips)
    assert list(found) == ["dev_dia0_utt0", "test_dia0_utt0", "train_dia3_utt0", "train_dia3_utt1", "train_dia3_utt4"]
    second = found["train_dia3_utt1"]
    assert second.audio == second.video == "train_splits/dia3_utt1.mp4"
    assert (second.speaker, second.emotion, second.dialogue, second.turn) == ("Chandler", "neutral", "train_dia3", 1)
    assert (second.start, second.end) == (976.059, 981.731)
    assert second.text == "Caf\u00e9 \u2026"  # Windows-1252
    assert (found["train_dia3_utt0"].emotion, found["train_dia3_utt0"].start) == ("surprise", 3600.5)
    assert (found["train_dia3_utt4"].turn, found["train_dia3_utt4"].start) == (2, None)
    assert [found[name].part for name in list(found)[:3]] == ["val", "test", "train"]
    params = emotion_params(split="given")
    assert splits.assign("emotion", clips, params, 0)["dev_dia0_utt0"] == "val"


def test_published_faults_are_listed(tmp_path):
    tree(
        tmp_path,
        dev=[line("Ross", "joy", 110, 7), line("Ross", "joy", 110, 8)],
        test=[line("Joey", "anger", 38, 4), line("Joey", "anger", 1, 0)],
    )
    (tmp_path / "dev_splits_complete/dia110_utt7.mp4").unlink()
    touch(tmp_path, "output_repeated_splits_test/final_videos_testdia1_utt0.mp4", "train_splits/dia9_utt9.mp4")
    touch(tmp_path, "output_repeated_splits_test/._dia1_utt0.mp4", "more/train_splits/dia0_utt0.mp4")
    clips, rejects = meld.list_clips(tmp_path, None)
    assert [clip.id for clip in clips] == ["dev_dia110_utt8", "test_dia1_utt0", "train_dia0_utt0"]
    assert reasons(rejects) == {
        "dev/dia110_utt7.mp4": "missing",
        "more/train_splits/dia0_utt0.mp4": "double: the name is used by train_splits/dia0_utt0.mp4",
        "output_repeated_splits_test/*.mp4": "1 films of another name than diaX_uttY, "
        "or in no folder of train, dev or test",
        "output_repeated_splits_test/dia38_utt4.mp4": "runs for minutes after the utterance, as published",
        "train_splits/dia9_utt9.mp4": "no row of this name in the partition's table",
    }
    assert sum(reject.lost for reject in rejects) == 2


def test_rows_that_are_not_understood_are_listed(tmp_path):
    rows = [
        line("Ross", "joy", 0, 0),
        line("Ross", "joyful", 0, 1),
        line("", "joy", 0, 2),
        line("Ross", "joy", 0, 0),
        "1,too,few\n",
    ]
    tree(tmp_path)
    (tmp_path / "train_sent_emo.csv").write_text(HEADER + "".join(rows))
    clips, rejects = meld.list_clips(tmp_path, None)
    assert len(clips) == 3
    assert {path: reason.partition(": ")[0] for path, reason in reasons(rejects).items()} == {
        "train_sent_emo.csv:3": "Emotion is none of neutral, joy, sadness, anger, fear, disgust, surprise",
        "train_sent_emo.csv:4": "no Speaker, or Dialogue_ID and Utterance_ID are no numbers",
        "train_sent_emo.csv:5": "listed twice, the first row is used",
        "train_sent_emo.csv:6": "another number of cells than the header",
    }
    assert [reject.lost for reject in sorted(rejects, key=lambda reject: reject.path)] == [1, 1, 0, 1]


def test_a_missing_table_says_which_folder_to_name(tmp_path):
    touch(tmp_path, "train_splits/dia0_utt0.mp4")
    with pytest.raises(ValueError, match=r"holds no train_sent_emo\.csv; name the folder"):
        meld.list_clips(tmp_path, None)


def test_sound_and_picture_of_one_film(tmp_path):
    file = film(tmp_path / "dia0_utt0.mp4", 3, seconds=0.5)
    seen, heard = probe((file, "video")), probe((file, "audio"))
    assert seen.fault is heard.fault is None and seen.hash == heard.hash and heard.content
    corrupt = tmp_path / "dia125_utt3.mp4"
    corrupt.write_bytes(file.read_bytes()[:200])
    assert probe((corrupt, "audio")).fault.startswith("cannot be read as sound: ")
    assert probe((corrupt, "video")).fault.startswith("cannot be read as video: ")


def test_counts_of_a_whole_copy():
    whole = meld.whole(None)
    assert whole.clips == sum(whole.groups["emotion"].values()) == sum(whole.groups["part"].values()) == 13708
