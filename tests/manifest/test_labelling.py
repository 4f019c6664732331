"""Classes of the emotion role: published counts of IEMOCAP, mappings by hand, refusals."""

from collections import Counter
from pathlib import Path

import corpus_trees as trees
import pytest
from manifest_toys import emotion_params, run

from avemotion.corpora import iemocap
from avemotion.formats import labels
from avemotion.manifest import labelling, splits
from avemotion.parsing import registry
from avemotion.parsing.clip import Clip

# Turns of the four-class task by session, as published; the others are dealt to fill the totals of the release.
FOUR = {
    1: {"ang": 229, "hap": 135, "exc": 143, "neu": 384, "sad": 194},
    2: {"ang": 137, "hap": 117, "exc": 210, "neu": 362, "sad": 197},
    3: {"ang": 240, "hap": 135, "exc": 151, "neu": 320, "sad": 305},
    4: {"ang": 327, "hap": 65, "exc": 238, "neu": 258, "sad": 143},
    5: {"ang": 170, "hap": 143, "exc": 299, "neu": 384, "sad": 245},
}
FIVE = {"labels": "iemocap4", "split": "sessions"}


def release(root: Path) -> list[Clip]:
    """Every turn of IEMOCAP's release by label and session, parsed from EmoEvaluation files without media."""
    names = set(FOUR[1])
    rest = [name for name, count in iemocap.EMOTIONS.items() if name not in names for _ in range(count)]
    for session, counts in FOUR.items():
        own = [name for name, count in counts.items() for _ in range(count)]
        room = iemocap.SESSIONS[str(session)] - len(own)
        own, rest = own + rest[:room], rest[room:]
        for dialogue, first in enumerate(range(0, len(own), 2 * 900), 1):
            name = f"Ses{session:02}F_impro{dialogue:02}"
            turns = [(f"{name}_{'FM'[i % 2]}{i // 2:03}", label) for i, label in enumerate(own[first : first + 1800])]
            lines = [trees.turn_line(turn, i, i + 0.5, label) for i, (turn, label) in enumerate(turns)]
            trees.dialogue(root, name, lines, media=False)
            trees.touch(root, f"Session{session}/dialog/avi/DivX/{name}.avi")
    assert not rest
    return iemocap.list_clips(root, iemocap.Params(parts=["impro", "script"], wearer_side="left"))[0]


def test_iemocap_has_5531_turns_of_four_classes(tmp_path):
    clips = release(tmp_path)
    assert len(clips) == 10039 and Counter(clip.emotion for clip in clips) == iemocap.EMOTIONS
    label_of, classes = labelling.classify(clips, iemocap.CORPUS, "emotion", "iemocap4")
    assert classes == ["angry", "happy", "neutral", "sad"] and len(label_of) == 5531
    assert Counter(label_of.values()) == {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}
    used = [clip for clip in clips if clip.id in label_of]
    by_session = splits.assign("emotion", used, emotion_params(**FIVE), seed=0)
    assert Counter(by_session.values()) == {"1": 1085, "2": 1023, "3": 1151, "4": 1031, "5": 1241}
    by_speaker = splits.assign("emotion", used, emotion_params(labels="iemocap4", split="speakers"), seed=0)
    fold_of = {clip.speaker: by_speaker[clip.id] for clip in used}
    assert [fold_of[f"Ses{session:02}{letter}"] for session in (1, 2, 5) for letter in "FM"] == [*"1234", "9", "10"]
    dropped = labelling.left_out(
        labelling.reject_reason(c, iemocap.CORPUS, "iemocap4") for c in clips if c.id not in label_of
    )
    assert dropped == {"xxx": 2507, "fru": 1849, "sur": 107, "fea": 40, "oth": 3, "dis": 2}
    assert len(labelling.classify(clips, iemocap.CORPUS, "affect", "iemocap4")[0]) == 10039  # of the emotion role only


def clip(emotion: str | None) -> Clip:
    return Clip(id=str(emotion), speaker="s", gender=None, emotion=emotion, audio=f"{emotion}.wav")


def test_a_mapping_names_the_classes_in_its_order():
    mapping = {"low": ["sad", "calm"], "high": ["angry"]}
    clips = [clip(name) for name in ("angry", "calm", "happy", "sad", None)]
    ravdess = registry.corpus("ravdess")
    label_of, classes = labelling.classify(clips, ravdess, "emotion", mapping)
    assert (label_of, classes) == ({"angry": "high", "calm": "low", "sad": "low"}, ["low", "high"])
    reasons = [labelling.reject_reason(clips[i], ravdess, mapping) for i in (2, 4)]
    assert reasons == ["manifest.emotion.labels leaves out the category: happy", "category names no emotion: none"]
    own, _ = labelling.classify(clips, ravdess, "emotion", "corpus")
    assert own == {name: name for name in ("angry", "calm", "happy", "sad")}
    coarse, _ = labelling.classify(clips, ravdess, "emotion", "coarse4")
    assert coarse == {"angry": "negative", "calm": "neutral", "happy": "positive", "sad": "negative"}


def test_what_the_labels_leave_out_is_counted_by_category(project, monkeypatch, capsys):
    mapping = {"happy": ["happy", "surprised"], "other": ["neutral", "sad", "angry"]}
    run(monkeypatch, manifest__emotion__labels=mapping)
    rows, facts = labels.read("emotion"), labels.read_facts("emotion")
    assert rows.groupby("label").size().to_dict() == {"happy": 8, "other": 12}
    assert (facts.classes, facts.labels, facts.rejected) == (["happy", "other"], mapping, 12)
    assert "manifest.emotion.labels leaves out 4 calm, 4 disgust, 4 fearful\n" in capsys.readouterr().out
    run(monkeypatch, "--check", manifest__emotion__labels=mapping)
    assert "left out or missing: manifest.emotion.labels leaves out 4 calm, 4 disgust" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("iemocap4", "labels is iemocap4, whose class angry takes ang, which the corpus does not have; its categories"),
        ({"a": ["happy"], "b": ["sad", "joy"]}, r"emotion\.labels\.b takes joy, which the corpus does not have; its"),
        ({"a": ["happy"]}, r"emotion\.labels names the classes \['a'\]; give two or more"),
        ({"a": ["happy"], "b": []}, r"emotion\.labels\.b is \[\]; name the corpus's categories"),
        (
            {"a": ["happy"], "b": ["sad", "happy"]},
            r"emotion\.labels\.b takes happy, as labels\.a does; leave it in one",
        ),
        ("four", "emotion.labels is 'four'; choose one of corpus, coarse4, iemocap4 or .*expected a mapping"),
    ],
)
def test_refusals(project, monkeypatch, given, message):
    with pytest.raises(ValueError, match=message):
        run(monkeypatch, manifest__emotion__labels=given)


def test_sessions_need_a_corpus_that_has_them(project, monkeypatch):
    with pytest.raises(
        ValueError, match=r"manifest\.emotion\.split is sessions, but the corpus has none; use speakers"
    ):
        run(monkeypatch, manifest__emotion__split="sessions")
