"""One corpus in both roles: emotion models for each V/A fold that know none of the speakers tested there."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import film, join, voice, write_manifest
from test_manifest import corpora, project  # noqa: F401 (fixtures)
from test_manifest_roles import OWN, own
from test_manifest_roles import run as run_manifest
from test_pipeline import digests, reproduce, run, small_params
from test_predict import CHANGES, CLASSES, DIALOGUES, facts
from test_predict import main as run_stage
from toys import params_with

from avemotion.formats import clips, labels
from avemotion.manifest import disjoint, per_fold, probe
from avemotion.parsing.clip import Clip
from avemotion.scoring.metrics import ccc
from avemotion.training.common import checkpoint
from avemotion.training.common.folds import cyclic
from commands import predict
from stages import features, fusion, va

TWICE = {"corpora__emotion": {"name": "iemocap", "root": "data/iemocap"}}
PER_FOLD = {"pretrain__per_fold": True}


def heard(fold, speakers: pd.Series, split: pd.Series) -> set[str]:
    """Whom the emotion models of a fold train or validate on, by what training itself makes of the column split."""
    return set(speakers[fold.parts(split) != "test"])


def clip(clip_id: str, speaker: str, **rest) -> Clip:
    return Clip(id=clip_id, speaker=speaker, gender=None, emotion="e", **rest)


# --- the manifest


def test_one_corpus_in_both_roles_is_refused_and_the_remedy_works(project, monkeypatch, capsys):  # noqa: F811
    with monkeypatch.context() as patch:
        patch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
        with pytest.raises(ValueError, match=r"both iemocap and share speakers Ses01F, .*set pretrain\.per_fold: true"):
            run_manifest(monkeypatch, **TWICE)
    run_manifest(monkeypatch, **TWICE, **PER_FOLD)
    emotion, affect = labels.read("emotion"), labels.read("affect")
    stated = labels.read_facts("emotion")
    assert (stated.split, stated.folds, stated.speaker_overlap, stated.per_fold) == ("per_fold", [1, 2, 3], False, True)
    assert not labels.read_facts("affect").per_fold and labels.read_facts("affect").folds == [1, 2, 3]
    assert emotion.groupby("split").speaker.unique().map(sorted).to_dict() == {
        str(k): [f"Ses0{k}F", f"Ses0{k}M"] for k in (1, 2, 3)
    }
    for fold in cyclic(stated.folds):
        tested = set(affect.speaker[fold.parts(affect.split) == "test"])
        assert len(tested) == 2 and not tested & heard(fold, emotion.speaker, emotion.split)
        chosen_by = [set(table.speaker[fold.parts(table.split) == "val"]) for table in (emotion, affect)]
        assert chosen_by[0] == chosen_by[1]
    assert "each fold holds whom V/A tests in it; manifest.emotion.split is not used" in capsys.readouterr().out


def test_check_shows_the_folds(project, monkeypatch, capsys):  # noqa: F811
    run_manifest(monkeypatch, "--check", **TWICE, **PER_FOLD)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines.count("1 8 2 2 2 2 2") == 2  # fold, clips, speakers, four classes: alike in both roles
    assert not clips.FOLDER.exists()


@settings(deadline=None, derandomize=True, database=None)
@given(
    homes=st.lists(st.sampled_from(["2", "5", "7", "9"]), min_size=8, max_size=20),
    sizes=st.lists(st.integers(0, 40), min_size=24, max_size=24),
    rated=st.sets(st.integers(0, 23), min_size=12),
)
def test_no_emotion_model_knows_whom_its_fold_tests(homes, sizes, rated):
    """Whoever is in which role, with how many clips: nobody tested by V/A fold k is heard by emotion models k."""
    folds = dict(enumerate([*homes, "2", "5", "7", "9"]))
    affect = [clip(f"a{i}", f"S{i:02}") for i in folds if i in rated]
    part_of = {f"a{i}": folds[i] for i in folds if i in rated}
    emotion = [clip(f"e{i}-{n}", f"S{i:02}") for i, size in enumerate(sizes) for n in range(size)]
    try:
        found = per_fold.follow(emotion, affect, part_of)
    except ValueError as error:
        assert any(reason in str(error) for reason in ("no speaker plays both", "has a clip with an emotion"))
        return
    parts = {"emotion": found, "affect": part_of}
    disjoint.between_folds({"emotion": emotion, "affect": affect}, parts)
    assert found == per_fold.follow(emotion[::-1], affect[::-1], part_of)
    known, split = (pd.Series(values) for values in ({c.id: c.speaker for c in emotion}, found))
    for fold in cyclic(sorted(map(int, set(part_of.values())))) if len(set(part_of.values())) > 2 else []:
        tested = {one.speaker for one in affect if part_of[one.id] == str(fold.test)}
        assert not tested & heard(fold, known, split)


def test_speakers_without_ratings_fill_the_lightest_folds():
    affect = [clip(f"a{k}", f"S{k}") for k in (1, 2, 3)]
    part_of = {f"a{k}": str(k) for k in (1, 2, 3)}
    sizes = {"S1": 9, "S2": 3, "S3": 3, "X": 10, "Y": 1, "Z": 1}
    emotion = [clip(f"{name}{i}", name) for name, size in sizes.items() for i in range(size)]
    found = per_fold.follow(emotion, affect, part_of)
    # weights 16, 4, 4; X (16) to fold 2, then Y and Z (2 each) to fold 3
    assert {one.speaker: found[one.id] for one in emotion} == {
        **{"S1": "1", "S2": "2", "S3": "3"},
        **{"X": "2", "Y": "3", "Z": "3"},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Ses01F": "2"}, r"V/A fold 1 tests Ses01F \(1 in all\), whom the emotion models .*put each speaker into the"),
        ({"Ses02F": "3", "Ses02M": "1", "Ses03F": "2"}, r"fold 2 tests Ses02F, Ses02M \(2 in all\)"),
        ({"Ses03F": "4", "Ses03M": "4"}, r"the folds of the roles differ \(3, 4 is in one alone\)"),
    ],
)
def test_a_wrong_split_is_refused(project, monkeypatch, change, message):  # noqa: F811
    """The manifest does not take per_fold.follow at its word."""
    follow = per_fold.follow

    def wrong(emotion, affect, part_of):
        found = follow(emotion, affect, part_of)
        return {one.id: change.get(one.speaker, found[one.id]) for one in emotion}

    monkeypatch.setattr(per_fold, "follow", wrong)
    monkeypatch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
    with pytest.raises(ValueError, match=message):
        run_manifest(monkeypatch, **TWICE, **PER_FOLD)
    assert not clips.FOLDER.exists()


def test_a_wrong_split_of_what_is_left_is_refused(project, monkeypatch):  # noqa: F811
    """Folds are made and checked again when damaged clips have left."""
    follow = per_fold.follow

    def wrong_in_the_end(emotion, affect, part_of):
        found = follow(emotion, affect, part_of)
        return found if len(emotion) == 24 else found | {one.id: "3" for one in emotion if one.speaker == "Ses01M"}

    monkeypatch.setattr(per_fold, "follow", wrong_in_the_end)
    wav = next((project / "data/iemocap/Session2/sentences").rglob("*.wav"))
    wav.unlink()
    (project / "data/iemocap/Session2/dialog/avi/DivX/Ses02F_impro01.avi").write_bytes(b"")
    with pytest.raises(ValueError, match=r"V/A fold 1 tests Ses01M \(1 in all\)"):
        run_manifest(monkeypatch, **TWICE, **PER_FOLD, manifest__max_rejected=0.9)
    assert not clips.FOLDER.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"no speaker plays both roles, so the same emotion models can serve all folds; set pretrain\.per_fold: f"),
        (
            {"corpora__affect": OWN, "corpora__emotion": OWN, "manifest__affect__split": "given"},
            "are trained in folds; use",
        ),
        ({"corpora__affect": OWN, "corpora__emotion": OWN, "manifest__affect__split": "speakers"}, "V/A fold 3 has a"),
    ],
)
def test_refusals(project, monkeypatch, changes, message):  # noqa: F811
    parts = {"A": "train", "B": "val", "C": "test"}
    rows = [f"{name},{name}.wav,,{'' if name == 'C' else 'e'},1,1,{name},,,,{parts[name]}" for name in parts]
    own(project / "data/own", rows, "id,audio,video,emotion,valence,arousal,speaker,dialogue,start,end,split")
    monkeypatch.setattr(probe, "probe_all", lambda *_: pytest.fail("media were opened"))
    with pytest.raises(ValueError, match=message):
        run_manifest(monkeypatch, **{"manifest__csv__scale": [1, 5]}, **PER_FOLD, **changes)


def test_recordings_under_another_name_are_found(project, monkeypatch):  # noqa: F811
    """Two tables of the same files: refused without per_fold, and with it where a voice has two names in two folds."""
    own(project / "data/own", [f"{s},{s}.wav,,e,1,1,{s},,," for s in "ABC"])
    shutil.copytree(project / "data/own", project / "data/other")
    table = project / "data/other/clips.csv"
    twice = {"corpora__emotion": OWN | {"root": "data/other"}, "corpora__affect": OWN, "manifest__csv__scale": [1, 5]}
    twice |= {"manifest__affect__split": "speakers"}
    table.write_text(
        table.read_text().replace(",1,1,A,", ",,,X,").replace(",1,1,B,", ",,,Y,").replace(",1,1,C,", ",,,Z,")
    )
    split = {"manifest__emotion__split": "actor", "manifest__emotion__actors": {"val": ["Y"], "test": ["Z"]}}
    with pytest.raises(ValueError, match=r"A \(emotion\) and A \(affect\) are the same .*pretrain\.per_fold: true, or"):
        run_manifest(monkeypatch, **twice, **split)
    table.write_text(table.read_text().replace("Z", "C"))
    # C is known by name; X and Y go to folds 1 and 2 in the order of their names, where A and B are
    run_manifest(monkeypatch, **twice, **PER_FOLD)
    assert labels.read("emotion").set_index("id").split.to_dict() == {"A": "1", "B": "2", "C": "3"}
    table.write_text(table.read_text().replace("X", "Yes"))
    with pytest.raises(
        ValueError, match=r"A \(emotion, fold 2\) and A \(affect, fold 1\) are the same recording, so .*al"
    ):
        run_manifest(monkeypatch, **twice, **PER_FOLD)


# --- the models of the folds


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Six clips in both roles, three folds: a fusion model and a V/A model of each, by the stages themselves."""
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params_with(root, CHANGES | PARAMS)
        Path("corpus").mkdir()
        films = {name: film(Path(f"corpus/{name}.mp4"), seed) for seed, name in enumerate(DIALOGUES)}
        write_manifest({name: voice(0.9 + 0.1 * i, 100 + 30 * i, i) for i, name in enumerate(DIALOGUES)}, films)
        rows = [
            {"id": name, "label": CLASSES[i % 2], "emotion": CLASSES[i % 2], "speaker": f"S{DIALOGUES[name]}"}
            | {"dialogue": f"d{DIALOGUES[name]}", "turn": i, "valence": 1 + i % 4, "arousal": 5 - i % 3}
            | {"split": str(DIALOGUES[name])}
            for i, name in enumerate(DIALOGUES)
        ]
        labels.write("emotion", rows, replace(facts("emotion", [1, 2, 3]), split=labels.PER_FOLD))
        labels.write("affect", rows, facts("affect", [1, 2, 3]))
        run_stage(features, "wavlm", "frames", "prosody", "speaker")
        run_stage(fusion)
        run_stage(va)
        for name in DIALOGUES:
            join(films[name], Path(f"corpus/{name}.wav"), Path(f"{name}.mov"))
    return root


PARAMS = {"va.finetune_layers": 1, "fusion.lr": 1.0e-2, "fusion.audio_lr": 1.0e-3}  # models of folds differ the more


@pytest.fixture
def copy(trained, tmp_path, monkeypatch) -> Path:
    shutil.copytree(trained, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


def weights(stage: str) -> dict[int, bytes]:
    return {k: Path(f"data/models/{stage}/fold_{k}/model.safetensors").read_bytes() for k in (1, 2, 3)}


def test_va_fold_takes_fusion_fold(copy):
    """Another fusion model of fold 2 gives another V/A model of fold 2, and leaves the others as they are."""
    before = weights("va")
    assert len(set(before.values())) == 3
    for k in (1, 2, 3):
        assert json.loads(Path(f"data/models/va/fold_{k}/model.json").read_text())["fusion"] == (
            f"data/models/fusion/fold_{k}"
        )
    run_stage(va)
    assert weights("va") == before  # so what differs below differs because of the fusion model
    assert not Path("data/work/va").exists()
    shutil.rmtree("data/models/fusion/fold_2")
    shutil.copytree("data/models/fusion/fold_3", "data/models/fusion/fold_2")
    run_stage(va)
    assert [k for k, found in weights("va").items() if found != before[k]] == [2]


def test_without_per_fold_the_first_serves_all(copy):
    facts_file = Path("data/manifest/emotion/corpus.json")
    facts_file.write_text(facts_file.read_text().replace('"per_fold"', '"actor_kfold"'))
    before = weights("va")
    run_stage(va)
    assert [k for k, found in weights("va").items() if found == before[k]] == [1]
    first = weights("va")
    for k in (2, 3):
        shutil.rmtree(f"data/models/fusion/fold_{k}")
    run_stage(va)
    assert weights("va") == first


def test_prediction_follows_the_folds(copy, capsys):
    """The first turn of each dialogue by the model that never heard its speaker: the pipeline's own numbers."""
    for fold, name in ((1, "a1"), (2, "b1"), (3, "c1")):
        run_stage(predict, f"{name}.mov", "--json")
        (of,) = json.loads(capsys.readouterr().out)["recordings"]
        expected = pd.read_csv(f"data/models/va/fold_{fold}/predictions.csv").set_index("id").loc[name]
        for target in ("valence", "arousal"):
            assert of[target]["folds"][fold - 1] == pytest.approx(expected[f"{target}_predicted"], abs=1e-4)
    # behind another fold's fusion model the same V/A model says something else
    file = Path("data/models/va/fold_3/model.json")
    file.write_text(file.read_text().replace("data/models/fusion/fold_3", "data/models/fusion/fold_1"))
    run_stage(predict, "c1.mov", "--json")
    (changed,) = json.loads(capsys.readouterr().out)["recordings"]
    assert abs(changed["valence"]["folds"][2] - of["valence"]["folds"][2]) > 1e-3
    assert changed["valence"]["folds"][:2] == of["valence"]["folds"][:2]


def test_a_checkpoint_that_does_not_name_its_fusion_model_is_refused(copy):
    file = Path("data/models/va/fold_1/model.json")
    file.write_text(json.dumps({name: v for name, v in json.loads(file.read_text()).items() if name != "fusion"}))
    with pytest.raises(ValueError, match=r"fold_1: trained by another version .*does not say 'fusion'"):
        run_stage(predict, "c1.mov")


# --- the whole chain


@pytest.mark.slow
def test_the_chain_on_one_corpus(tmp_path):
    """The sample's IEMOCAP in both roles, by DVC, with one root named twice; then as many workers as you like."""
    changes = {
        "corpora.emotion": {"name": "iemocap", "root": "data/sample/iemocap"},
        "pretrain.per_fold": True,
        "sample.iemocap.turns": 8,
    }
    clone = reproduce(tmp_path / "clone", {"compute.workers": 2} | changes)
    assert "Data and pipelines are up to date" in run(clone, "dvc", "repro")
    models, known = clone / "data/models", pd.read_csv(clone / "data/manifest/emotion/labels.csv", dtype=str)
    rated = pd.read_csv(clone / "data/manifest/affect/labels.csv", dtype=str)
    speaker_of = known.set_index("id").speaker
    for k in range(1, 6):
        tested = pd.read_csv(models / f"va/fold_{k}/predictions.csv").query("split == 'test'").id
        voices = set(rated.set_index("id").speaker[tested])
        assert voices == {f"Ses0{k}F", f"Ses0{k}M"}
        for stage in ("pretrain_audio", "pretrain_video", "fusion"):
            held_out = pd.read_csv(models / stage / f"fold_{k}/predictions.csv").set_index("id").split
            assert not voices & set(speaker_of[held_out.index[held_out == "val"]])
            assert not voices & set(speaker_of.drop(held_out.index))  # neither val nor test: they train
        warm, _ = checkpoint.load(models / f"va/fold_{k}")
        assert warm["fusion"] == f"data/models/fusion/fold_{k}"
    scores = json.loads((clone / "metrics/emotion.json").read_text())
    assert scores["clips"] == len(known) and {f"fold_{k}" for k in range(1, 6)} <= scores.keys()
    assert not scores["speaker_overlap"]

    recording = next((clone / "data/sample/iemocap/Session2/sentences/wav").rglob("*.wav"))
    told = run(clone, "python", "-m", "commands.predict", str(recording), "--json")
    (of,) = json.loads(told[told.index("{\n") : told.rindex("}") + 1])["recordings"]
    assert len(of["valence"]["folds"]) == 5 and np.isfinite(of["valence"]["folds"]).all()

    # Before it adapts, personalise is the model of the fold: with the right fusion model it says what that said.
    out = clone / "personal.csv"
    run(clone, "python", "-m", "commands.personalise", "--turns", "1", "--steps", "1", "--out", str(out))
    personal = pd.read_csv(out)
    assert sorted(personal.fold.unique()) == [1, 2, 3, 4, 5]
    for row in personal.itertuples():
        said = pd.read_csv(models / f"va/fold_{row.fold}/predictions.csv").set_index("id")
        turns = rated[(rated.speaker == row.speaker) & rated.valence.notna()].astype({"turn": int})
        later = said.loc[turns.sort_values(["dialogue", "turn"]).id[1:]]
        assert row.valence_before == pytest.approx(ccc(*later[["valence", "valence_predicted"]].to_numpy().T), abs=1e-3)

    first = digests(clone)
    shutil.rmtree(models / "va")
    (clone / "params.yaml").write_text(small_params(workers=1, **changes))
    run(clone, "python", "-m", "stages.va")
    assert digests(clone) == first
