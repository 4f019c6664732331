"""Published protocols: every file is whole, folds by hand, refusals, a leak that is marked."""

from collections import Counter

import pandas as pd
import pytest
from manifest_toys import OWN, emotion_params, own, run
from project_params import params_with

from avemotion.formats import labels
from avemotion.manifest import protocol_split, splits
from avemotion.params import manifest as manifest_params
from avemotion.parsing import protocols, registry
from avemotion.parsing.clip import Clip
from avemotion.training.common import folds

SPEAKERS = {
    "ravdess": [f"Actor_{i:02}" for i in range(1, 25)],
    "iemocap": [f"Ses{i:02}{letter}" for i in range(1, 6) for letter in "FM"],
    "savee": ["DC", "JE", "JK", "KL"],
}


def clip(clip_id: str, speaker: str, emotion: str = "sad") -> Clip:
    return Clip(id=clip_id, speaker=speaker, gender=None, emotion=emotion)


def corpus(name: str) -> list[Clip]:
    return [clip(f"{speaker}-{i}", speaker) for speaker in SPEAKERS[name] for i in range(2)]


def assign(clips: list[Clip], of: str, name: str) -> dict[str, str]:
    return splits.assign("emotion", clips, emotion_params(split="protocol", protocol=name), seed=0, corpus=of)


@pytest.mark.parametrize(("of", "name"), protocols.known())
def test_every_protocol_is_whole(of, name):
    protocol = protocols.read(of, name)
    assert of in registry.names() and name in protocols.names(of) and len(protocol.source) > 20
    if protocol.folds:
        part_of = assign(corpus(of), of, name)  # each speaker is in one fold, and no fold is empty
        assert sorted(set(part_of.values()), key=int) == [str(i + 1) for i in range(len(protocol.folds))]
    else:
        assert all(clip_id == clip_id.strip() for clip_id in protocol.test)


def test_folds_by_hand():
    part_of = assign(corpus("ravdess"), "ravdess", "luna_jimenez")
    tested = [speaker for speaker in SPEAKERS["ravdess"] if part_of[f"{speaker}-1"] == "3"]
    assert tested == ["Actor_10", "Actor_11", "Actor_12", "Actor_19", "Actor_20"]
    assert Counter(part_of.values()) == {"1": 10, "2": 10, "3": 10, "4": 10, "5": 8}
    assert assign(corpus("ravdess"), "ravdess", "emobox")["Actor_24-0"] == "4"
    assert assign(corpus("ravdess"), "ravdess", "loso")["Actor_24-0"] == "24"
    assert assign(corpus("iemocap"), "iemocap", "sessions5")["Ses03M-0"] == "3"


def test_a_protocol_may_name_who_validates(project, monkeypatch):
    rows = [f"{i},{i}.wav,,sad,,,{speaker},,," for i, speaker in enumerate(SPEAKERS["iemocap"])]
    own(project / "data/own", rows)
    monkeypatch.setattr(protocols, "known", lambda: (("csv", "speakers10"),))
    constant = protocols.plugins.constant
    monkeypatch.setattr(
        protocols.plugins, "constant", lambda package, file, name: constant(package, "iemocap_speakers10", name)
    )
    run(
        monkeypatch, corpora__emotion=OWN, manifest__emotion__split="protocol", manifest__emotion__protocol="speakers10"
    )
    facts = labels.read_facts("emotion")
    assert (facts.split, facts.protocol, facts.folds) == ("protocol", "speakers10", list(range(1, 11)))
    plan = folds.plan(facts)
    assert [(fold.test, fold.val) for fold in plan[:4]] == [(1, 2), (2, 1), (3, 4), (4, 3)]
    known = labels.read("emotion")
    parts = plan[2].parts(known.split)  # tests Ses02F
    assert known.speaker[parts == "val"].tolist() == ["Ses02M"] and (parts == "train").sum() == 8


def test_a_protocol_that_leaks_runs_and_is_marked(project, monkeypatch, capsys):
    test = "01-01-01-01-01-01"
    lists = {"test": frozenset({test}), "validation": frozenset()}
    protocol = protocols.Protocol(name="leaky", source="here", folds={}, validates={}, **lists)
    monkeypatch.setattr(protocols, "read", lambda *_: protocol)
    monkeypatch.setattr(protocols, "refuse_unknown", lambda *_: None)
    monkeypatch.setattr(protocol_split, "VALIDATION_SHARE", 0.25)
    run(monkeypatch, manifest__emotion__split="protocol", manifest__emotion__protocol="leaky")
    table, facts = labels.read("emotion"), labels.read_facts("emotion")
    assert facts.speaker_overlap and facts.protocol == "leaky" and facts.folds == []
    assert table.id[table.split == "test"].tolist() == [test]
    # Four clips an emotion, three of the first; a quarter of three rounds to one.
    assert pd.crosstab(table.emotion, table.split)["val"].tolist() == [1] * 8
    assert "manifest.emotion.split is protocol: speakers are in several splits" in capsys.readouterr().out


def test_the_lists_of_ogm_ge():
    test = protocols.read("cremad", "ogm_ge").test
    assert len(test) == 744 and len({clip_id[:4] for clip_id in test}) == 91
    clips = [clip(clip_id, clip_id[:4], clip_id[9:12]) for clip_id in test]
    clips += [clip(f"{actor}_XYZ_SAD_{i}", str(actor)) for actor in range(1001, 1092) for i in range(10)]
    part_of = assign(clips, "cremad", "ogm_ge")
    assert Counter(part_of.values()) == {"test": 744, "val": 91, "train": 819}
    assert part_of == assign(clips[::-1], "cremad", "ogm_ge")
    with pytest.raises(ValueError, match=r"ogm_ge, but 1 of its 744 test and validation clips are not here \(1001_"):
        assign([one for one in clips if one.id != min(test)], "cremad", "ogm_ge")


def test_refusals_of_the_corpus_on_disk():
    clips = [one for one in corpus("ravdess") if one.speaker not in ("Actor_05", "Actor_20")]
    with pytest.raises(
        ValueError, match=r"luna_jimenez, but .* no clip of its speakers 5, 20 \(2 of 24\): complete the"
    ):
        assign(clips, "ravdess", "luna_jimenez")
    with pytest.raises(ValueError, match=r"no fold for the speakers Actor_25 \(1\): complete the corpus"):
        assign([*corpus("ravdess"), clip("x", "Actor_25")], "ravdess", "emobox")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "luna"}, r"emotion\.protocol is 'luna'; choose one of emobox, loso, luna_jimenez, ogm_ge, se"),
        ({"protocol": None}, r"emotion\.protocol is null, but split is protocol; choose one of ogm_ge \(cremad\), "),
        ({"protocol": "sessions5"}, "'sessions5', which is one of iemocap; choose one of emobox, loso, .*(ravdess)"),
    ],
)
def test_refusals_of_the_params(tmp_path, changes, message):
    values = {f"manifest.emotion.{key}": value for key, value in ({"split": "protocol"} | changes).items()}
    with pytest.raises(ValueError, match=message):
        manifest_params.configure(params_with(tmp_path, values))
