"""One corpus in both roles, through the whole chain."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from chain import digests, make, reproduce, run

from avemotion.scoring.metrics import ccc
from avemotion.training.common import checkpoint


@pytest.mark.slow
def test_the_chain_on_one_corpus(tmp_path):
    """The sample's IEMOCAP in both roles, by DVC, with one root named twice; then as many workers as you like."""
    changes = {
        "corpora.emotion": {"name": "iemocap", "root": "data/sample/iemocap"},
        "pretrain.per_fold": True,
        "sample.iemocap.turns": 6,
    }
    clone = reproduce(tmp_path / "clone", changes)
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
    scores = json.loads((clone / "metrics/detail/emotion.json").read_text())
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
    make(clone, changes | {"compute.workers": 1}, ["va"])
    assert digests(clone) == first
