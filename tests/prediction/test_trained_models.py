"""The trained models of a workspace: refused where they do not fit; their state runs over a dialogue."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from project_params import params_with
from safetensors.torch import load_file, save_file
from trained_project import CHANGES, DIALOGUES, main, rewrite, rows

from avemotion.formats import clips
from avemotion.media.waveforms import read_waveform
from avemotion.prediction import judging, recording, trained_models
from commands import predict
from stages import va

pytestmark = pytest.mark.usefixtures("trained_here")


def as_a_recording() -> trained_models.Models:
    """The turns of a dialogue, given as the pieces of a recording: predictions as those of its fold."""
    models = trained_models.load(torch.device("cpu"))
    pieces = [
        recording.Piece(
            name=turn.id,
            start=0.0,
            end=turn.duration,
            waveform=read_waveform(Path("corpus") / turn.audio),
            picture=recording.film_clip(turn.id, Path("corpus", turn.video).absolute(), (None, None)),
        )
        for turn in clips.read("affect")
        if DIALOGUES[turn.id] == 3
    ]
    windows, notes = judging.Judge(models)(pieces)
    assert notes == []
    found = dict(zip((piece.name for piece in pieces), windows, strict=True))
    expected = rows("va/fold_3/predictions.csv")
    for turn in ("c1", "c2"):
        np.testing.assert_allclose(
            found[turn].affect[2],
            expected.loc[turn, ["valence_predicted", "arousal_predicted"]].astype(float),
            atol=1e-4,
        )
    return models


def test_the_state_runs_on_as_over_a_dialogue():
    assert as_a_recording().va[3].state is not None


def test_inputs_by_speaker_have_the_statistics_of_the_recording(own, capsys):
    """The turns of the dialogue are all turns of their speaker."""
    before = rows("va/fold_3/predictions.csv")["valence_predicted"]
    params_with(own, CHANGES | {"va.normalise": {"prosody": "speaker", "speech": "speaker"}})
    main(va)
    assert as_a_recording().by_speaker == ["prosody", "speech", "layers"]
    assert abs(rows("va/fold_3/predictions.csv")["valence_predicted"] - before).max() > 1e-3
    capsys.readouterr()
    main(predict, "c1.mov", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["speaker_statistics"] is True
    assert told["recordings"][0]["notes"][0].startswith("valence and arousal use statistics of the 1 windows of this")


def retrained(weights: Path) -> None:
    """One number of the first weight changes."""
    state = load_file(weights)
    next(iter(state.values())).view(-1)[0] += 1
    save_file(state, weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: shutil.rmtree("data/models/fusion"), r"fusion.model.json: .*dvc repro"),
        (lambda: shutil.rmtree("data/models/va/fold_2"), r"fold_2.model.json: .*dvc repro"),
        (lambda: rewrite("data/models/fusion/model.json", lambda c: c.pop("features")), "another version of the code"),
        (lambda: rewrite("data/models/fusion/model.json", lambda c: c.pop("temperature")), "has no 'temperature'"),
        (
            lambda: rewrite("data/models/fusion/model.json", lambda c: c["architecture"].update(classes=3)),
            "models/fusion: trained by another version of the code; run `dvc repro`",
        ),
        (
            lambda: rewrite(
                "data/models/fusion/model.json", lambda c: c["features"]["frames"]["params"].update(size=48)
            ),
            "fusion and va were trained on different frames features: params changed between them; run `dvc repro`",
        ),
        (
            lambda: retrained(Path("data/models/fusion/model.safetensors")),
            "va: trained on another fusion model than the one in data/models/fusion, so .*; run `dvc repro va`",
        ),
    ],
)
def test_models_that_are_missing_or_do_not_fit(own, change, message):
    change()
    with pytest.raises(ValueError, match=message):
        main(predict, "c1.mov")
