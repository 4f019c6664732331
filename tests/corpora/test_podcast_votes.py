"""Single annotations of MSP-Podcast: votes, soft targets and agreement, and files that do not fit each other."""

import json
from pathlib import Path

import pytest
import torch
from corpus_trees import by_id, reasons
from manifest_toys import run
from recordings import voice
from soundfile import write as write_sound

from avemotion.corpora import msp_podcast
from avemotion.formats import labels
from avemotion.training.emotion.classifier import EmotionData

TEST1 = msp_podcast.Params(tests=["Test1"])
CONSENSUS = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
LABELS = {"P_1": ("A", 1, "Train"), "P_2": ("H", 1, "Train"), "P_3": ("A", 2, "Development"), "P_4": ("H", 3, "Test1")}
VOTES = {
    "P_1": ["Angry", "angry", "Happy", "Other-annoyed"],
    "P_2": ["Happy", "Happy", "Surprise", "Fear", "Happy"],
    "P_3": ["Angry", "Angry", "Neutral"],
}


def detailed(votes: dict[str, list[str]]) -> str:
    """labels_detailed.csv with its columns in the published order."""
    lines = ["FileName,Worker,EmoClass_Major,EmoClass_Second,EmoAct,EmoDom,EmoVal"]
    rows = [(clip, i, word) for clip, words in votes.items() for i, word in enumerate(words)]
    return "\n".join([*lines, *(f'{clip}.wav,W{i},{word},"Angry,Sad",3,4,5' for clip, i, word in rows)]) + "\n"


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "Labels").mkdir()
    (tmp_path / "Audios").mkdir()
    rows = [f"{clip}.wav,{letter},3,4,5,{of},Female,{part}" for clip, (letter, of, part) in LABELS.items()]
    (tmp_path / "Labels/labels_consensus.csv").write_text(CONSENSUS + "\n".join(rows) + "\n")
    for i, clip in enumerate(LABELS):
        write_sound(tmp_path / f"Audios/{clip}.wav", voice(0.5, 100 + 30 * i, i), 16000)
    return tmp_path


def test_every_worker_has_a_vote(root):
    (root / "Labels/labels_detailed.csv").write_text(detailed(VOTES))
    clips, rejects = msp_podcast.list_clips(root, TEST1)
    votes = {name: clip.votes for name, clip in by_id(clips).items()}
    assert votes == {
        "P_1": {"angry": 2, "happy": 1, "other": 1},
        "P_2": {"happy": 3, "surprised": 1, "fearful": 1},
        "P_3": {"angry": 2, "neutral": 1},
        "P_4": None,  # without annotations
    }
    assert rejects == []
    (root / "Labels/labels_detailed.csv").unlink()
    workers = {f"{clip}.wav": {f"W{i}": {"EmoClass_Major": of} for i, of in enumerate(VOTES[clip])} for clip in VOTES}
    (root / "Labels/labels_detailed.json").write_text(json.dumps(workers))
    assert msp_podcast.list_clips(root, TEST1) == (clips, [])
    (root / "Labels/labels_detailed.json").unlink()
    assert {clip.votes for clip in msp_podcast.list_clips(root, TEST1)[0]} == {None}


def test_models_train_on_the_shares_of_the_votes(root, project, monkeypatch, capsys):
    (root / "Labels/labels_detailed.csv").write_text(detailed(VOTES))
    (project / "data/none").mkdir(exist_ok=True)
    corpora = {"corpora__emotion": {"name": "msp_podcast", "root": str(root)}}
    corpora |= {"corpora__affect": {"name": None, "root": "data/none"}, "manifest__emotion__split": "given"}
    run(monkeypatch, **corpora, manifest__emotion__target="soft")
    data = EmotionData(None)
    assert data.classes == ["angry", "happy"]
    # Votes for categories without a class do not count: of P_1 two angry and one happy, of P_2 three happy.
    torch.testing.assert_close(data.shares(), {"P_1": torch.tensor([2 / 3, 1 / 3]), "P_2": torch.tensor([0.0, 1.0])})
    facts = labels.read_facts("emotion")
    assert (facts.target, facts.agreement["clips"], facts.agreement["raters"]) == (
        "soft",
        3,
        pytest.approx(8 / 3, abs=1e-3),
    )
    assert facts.agreement["label_share"] == pytest.approx((2 / 3 + 1 + 1) / 3, abs=1e-3)
    assert "raters: 2.7 votes a clip for 3 clips, Krippendorff's alpha" in capsys.readouterr().out


def test_votes_that_match_no_label_are_listed(root):
    """P_3 is angry, but nobody named that; P_9 has no row; joyful is no category of the corpus."""
    votes = VOTES | {"P_3": ["Neutral", "Sad"], "P_9": ["Sad"], "P_4": ["Happy", "Joyful", ""]}
    (root / "Labels/labels_detailed.csv").write_text(detailed(votes) + "P_1.wav,W9\n")
    clips, rejects = msp_podcast.list_clips(root, TEST1)
    assert by_id(clips)["P_3"].votes is None and by_id(clips)["P_4"].votes == {"happy": 1, "other": 1}
    place = "Labels/labels_detailed.csv"
    assert reasons(rejects) == {
        f"{place}:17": "another number of cells than the header",
        f"{place} without EmoClass_Major": "1 annotations name no category",
        f"{place} Joyful": "1 votes for an unknown category; they count as other",
        f"{place} other files": "votes for 1 files without a row in Labels/labels_consensus.csv",
        f"{place} other labels": "votes for 1 clips, none of them for the label in Labels/labels_consensus.csv, "
        "the first P_3; not used",
    }


BAD = [
    (
        "labels_detailed.csv",
        detailed({"Q_1": ["Sad"]}),
        r"none of its 1 files has a row in Labels/labels",
    ),
    ("labels_detailed.csv", "FileName,EmoClass\nP_1.wav,A\n", r"labels_detailed.csv: no column EmoClass_Major"),
    ("labels_detailed.json", "{", r"labels_detailed.json: not valid JSON"),
    ("labels_detailed.json", "[]", r"expected file names, each with workers"),
    ("labels_detailed.json", '{"P_1.wav": [1]}', r"each with EmoClass_Major; not so at P_1.wav"),
    ("labels_detailed.json", '{"P_1.wav": {"W1": {"EmoClass_Major": 3}}}', r"not so at P_1.wav"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=range(len(BAD)))
def test_files_of_another_form_or_release_are_refused(root, name, content, message):
    (root / "Labels" / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        msp_podcast.list_clips(root, TEST1)
