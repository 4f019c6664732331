"""Emotion models for each VA fold: who takes whose, in training and in prediction."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from trained_project import build_per_fold, main, rewrite

from avemotion.training.va.turn_embeddings import fusion_checksum
from commands import predict
from stages import va


@pytest.fixture(scope="module")
def per_fold(trained, tmp_path_factory) -> Path:
    return build_per_fold(trained, tmp_path_factory.mktemp("per_fold") / "project")


@pytest.fixture
def own(per_fold, tmp_path, monkeypatch) -> Path:
    """A workspace of one's own, to break, as working folder."""
    shutil.copytree(per_fold, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


def weights(stage: str) -> dict[int, bytes]:
    return {k: Path(f"data/models/{stage}/fold_{k}/model.safetensors").read_bytes() for k in (1, 2, 3)}


def test_va_fold_takes_fusion_fold(own):
    """Another fusion model of fold 2 gives another V/A model of fold 2, and leaves the others as they are."""
    before = weights("va")
    assert len(set(before.values())) == 3
    for k in (1, 2, 3):
        assert json.loads(Path(f"data/models/va/fold_{k}/model.json").read_text())["fusion"] == (
            f"data/models/fusion/fold_{k}"
        )
    main(va)
    assert weights("va") == before  # so what differs below differs because of the fusion model
    assert not Path("data/work/va").exists()
    shutil.rmtree("data/models/fusion/fold_2")
    shutil.copytree("data/models/fusion/fold_3", "data/models/fusion/fold_2")
    main(va)
    assert [k for k, found in weights("va").items() if found != before[k]] == [2]


def test_without_per_fold_the_first_serves_all(own):
    facts_file = Path("data/manifest/emotion/corpus.json")
    facts_file.write_text(facts_file.read_text().replace('"per_fold"', '"actor_kfold"'))
    before = weights("va")
    main(va)
    assert [k for k, found in weights("va").items() if found == before[k]] == [1]
    first = weights("va")
    for k in (2, 3):
        shutil.rmtree(f"data/models/fusion/fold_{k}")
    main(va)
    assert weights("va") == first


def test_prediction_follows_the_folds(own, capsys):
    """The first turn of each dialogue by the model that never heard its speaker: the pipeline's own numbers."""
    names = ("a1", "b1", "c1")
    main(predict, *(f"{name}.mov" for name in names), "--json")
    told = json.loads(capsys.readouterr().out)["recordings"]
    for fold, (name, of) in enumerate(zip(names, told, strict=True), 1):
        expected = pd.read_csv(f"data/models/va/fold_{fold}/predictions.csv").set_index("id").loc[name]
        for target in ("valence", "arousal"):
            assert of[target]["folds"][fold - 1] == pytest.approx(expected[f"{target}_predicted"], abs=1e-4)
    # behind another fold's fusion model the same VA model says something else, so it is refused
    file, other = Path("data/models/va/fold_1/model.json"), Path("data/models/fusion/fold_3")
    rewrite(file, lambda config: config.update(fusion=other.as_posix()))
    with pytest.raises(ValueError, match="trained on another fusion model than the one in data/models/fusion/fold_3"):
        main(predict, "c1.mov", "--json")
    rewrite(file, lambda config: config.update(fusion_checksum=fusion_checksum(other)))
    capsys.readouterr()
    main(predict, "c1.mov", "--json")
    (changed,) = json.loads(capsys.readouterr().out)["recordings"]
    assert abs(changed["valence"]["folds"][0] - of["valence"]["folds"][0]) > 1e-3
    assert changed["valence"]["folds"][1:] == of["valence"]["folds"][1:]


def test_a_checkpoint_that_does_not_name_its_fusion_model_is_refused(own):
    file = Path("data/models/va/fold_1/model.json")
    file.write_text(json.dumps({name: v for name, v in json.loads(file.read_text()).items() if name != "fusion"}))
    with pytest.raises(ValueError, match=r"va: trained by another version .*: its model\.json has no 'fusion'"):
        main(predict, "c1.mov")
