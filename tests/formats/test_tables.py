"""The manifest's files come back as they were written, and damaged ones are named."""

import dataclasses

import pandas as pd
import pytest

from avemotion.formats import clips, labels


def test_readers_name_what_is_wrong(tmp_path):
    for read in (clips.read, labels.read, labels.read_facts):
        with pytest.raises(ValueError, match=r"emotion/(clips|labels|corpus)\.\w+: no such file; run `dvc repro manif"):
            read("emotion", tmp_path)
    (tmp_path / "emotion").mkdir()
    file = tmp_path / "emotion/clips.csv"
    file.write_text("id,path\n1,a\n")
    with pytest.raises(ValueError, match=r"clips\.csv: columns are id, path, expected id, audio"):
        clips.read("emotion", tmp_path)
    file.write_text(",".join(clips.COLUMNS) + "\n1,a.wav,,,,,long,h,\n")
    with pytest.raises(ValueError, match=r"clips\.csv column duration: .*long"):
        clips.read("emotion", tmp_path)
    (tmp_path / "emotion/corpus.json").write_text("{}")
    with pytest.raises(ValueError, match=r"corpus\.json: not of the expected form"):
        labels.read_facts("emotion", tmp_path)


def test_readers_return_what_was_written(tmp_path):
    media = clips.ClipMedia(
        id="0012",
        audio='a, "b".wav',
        video=None,
        video_start=None,
        video_end=1 / 3,
        video_crop=(0.0, 0.2542, 0.5, 0.75),
        duration=2.0,
        audio_hash="00e1",
        video_hash=None,
    )
    earlier = dataclasses.replace(media, id="0011", video_end=None, video_crop=None)
    clips.write("affect", [media, earlier], tmp_path)
    assert clips.read("affect", tmp_path) == [earlier, media]

    facts = labels.CorpusFacts(
        corpus="x",
        role="affect",
        synthetic=False,
        classes=["NA"],
        scale=None,
        split="sessions",
        speaker_overlap=False,
        clips=1,
        speakers=1,
        rejected=0,
        folds=[1],
    )
    row = {
        "id": "0012",
        "speaker": "01",
        "label": "NA",
        "text": "None, né",
        "valence": 0.1 + 0.2,
        "turn": 3,
        "split": "1",
    }
    labels.write("affect", [row, {**row, "id": "0011", "turn": None, "text": None}], facts, tmp_path)
    table = labels.read("affect", tmp_path)
    assert table.id.tolist() == ["0011", "0012"]
    assert table.text.tolist() == [None, "None, né"] and table.label.tolist() == ["NA", "NA"]
    assert table.valence[1] == 0.1 + 0.2 and pd.isna(table.arousal[1])
    assert table.turn[1] == 3 and pd.isna(table.turn[0]) and table.speaker[1] == "01"
    assert labels.read_facts("affect", tmp_path) == facts
